"""Runs: engine runs in a process of their own, their records, and the ways to follow them."""

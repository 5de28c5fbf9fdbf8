"""Runs: engine runs in a process of their own, their records, and how they are followed."""

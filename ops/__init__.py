"""The `oracle` command: the team's daily procedures, one file for each."""

"""Rehearsals: a change tried on a local cloud, from the commit before it to the commit with it."""

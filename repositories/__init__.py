"""Work on several git repositories at once: what they have that is not pushed, committing it, pushing it.

Nothing here asks anybody anything or prints: callers get values. No module of the project is imported.
"""

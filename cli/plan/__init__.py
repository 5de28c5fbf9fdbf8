"""The plan of an update for reviewers, as text and as Markdown."""

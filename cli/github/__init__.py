"""GitHub's REST API for workflows: comments, issues and pull requests."""

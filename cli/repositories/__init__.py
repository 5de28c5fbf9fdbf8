"""The project's repositories: `commit-all` and REPO_MAP.md."""

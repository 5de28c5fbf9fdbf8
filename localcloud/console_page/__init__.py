"""The local cloud's own page: what it runs, as a person looks at it. Read only; it can do nothing."""

from localcloud.console_page.routes import routes

__all__ = ["routes"]

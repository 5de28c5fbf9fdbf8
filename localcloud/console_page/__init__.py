"""The local cloud's read-only web page, which shows what runs."""

from localcloud.console_page.routes import routes

__all__ = ["routes"]

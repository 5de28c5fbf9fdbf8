"""The former name of `httpclient`, for the modules that still import it by this one."""

from httpclient import client, httpx

__all__ = ["client", "httpx"]

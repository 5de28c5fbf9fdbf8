"""A small client of Cloudflare's Workers: a script's bindings and secrets."""

from workersapi.client import Workers, WorkersApiError

__all__ = ["Workers", "WorkersApiError"]

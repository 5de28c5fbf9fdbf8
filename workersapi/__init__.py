"""A small client of Cloudflare's Workers: a script's bindings and secrets, and the hold on the API's writes."""

from workersapi.client import Workers, WorkersApiError
from workersapi.hold import WriteHold

__all__ = ["Workers", "WorkersApiError", "WriteHold"]

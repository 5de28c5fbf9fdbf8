"""A small client of Cloudflare's Workers: a script's bindings, secrets and live events."""

from workersapi.client import Workers, WorkersApiError
from workersapi.tails import Tail, TailEnded

__all__ = ["Tail", "TailEnded", "Workers", "WorkersApiError"]

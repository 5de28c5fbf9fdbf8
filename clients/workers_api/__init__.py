"""A small client of Cloudflare's Workers: a script's bindings, secrets and live events."""

from clients.workers_api.client import Workers, WorkersApiError
from clients.workers_api.tails import Tail, TailEnded

__all__ = ["Tail", "TailEnded", "Workers", "WorkersApiError"]

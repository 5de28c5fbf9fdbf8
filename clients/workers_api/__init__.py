"""A client of Cloudflare's Workers API: a script's bindings, secrets, modules and live events."""

from clients.workers_api.client import Workers, WorkersApiError
from clients.workers_api.tails import Tail, TailEnded

__all__ = ["Tail", "TailEnded", "Workers", "WorkersApiError"]

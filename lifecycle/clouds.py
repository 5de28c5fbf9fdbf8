"""The clients of both clouds' APIs. Hooks and dynamic providers get them from here, so that tests pass fakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from clients.app_platform import AppPlatform
from clients.workers_api import Workers


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """The constructors of the clients, and the pause between steps of a change. A backend is known by its address."""

    app_platform: Callable[..., AppPlatform] = AppPlatform
    workers: Callable[..., Workers] = Workers
    sleep: Callable[[float], None] = time.sleep

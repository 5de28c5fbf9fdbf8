"""The provider SDKs of the program, imported lazily (see `lazy_sdk`): a full import takes seconds on every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
    import pulumi_digitalocean as digitalocean
    import pulumi_random as random
else:
    from lazy_sdk import lazily

    cloudflare = lazily("pulumi_cloudflare")
    digitalocean = lazily("pulumi_digitalocean")
    random = lazily("pulumi_random")

__all__ = ["cloudflare", "digitalocean", "random"]

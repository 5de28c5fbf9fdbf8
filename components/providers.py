"""The provider SDKs that the program uses.

Their packages import every resource of their cloud: seconds on each run. Collected here so that it is done once, and without the
garbage collector walking over what is never freed.
"""

from __future__ import annotations

import gc

gc.disable()
try:
    import pulumi_cloudflare as cloudflare
    import pulumi_digitalocean as digitalocean
    import pulumi_random as random
finally:
    gc.freeze()
    gc.enable()

__all__ = ["cloudflare", "digitalocean", "random"]

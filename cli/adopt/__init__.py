"""Adoption of existing resources: discover them, check them, write their ids into the configuration, import them."""

from cli.adopt.addresses import address_refusals, fetch_code
from cli.adopt.checks import adoption, differences, refusals
from cli.adopt.discover import LiveResources, LiveWorker, discover
from cli.adopt.model import Adoption, Difference

__all__ = [
    "Adoption",
    "Difference",
    "LiveResources",
    "LiveWorker",
    "address_refusals",
    "adoption",
    "differences",
    "discover",
    "fetch_code",
    "refusals",
]

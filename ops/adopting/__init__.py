"""Taking over what was made by hand: what there is, whether it can be taken over as it runs, and what would differ."""

from ops.adopting.addresses import address_refusals, fetch_code
from ops.adopting.judging import adoption, differences, refusals
from ops.adopting.model import Adoption, Difference
from ops.adopting.seeing import Live, LiveWorker, see

__all__ = [
    "Adoption",
    "Difference",
    "Live",
    "LiveWorker",
    "address_refusals",
    "adoption",
    "differences",
    "fetch_code",
    "refusals",
    "see",
]

"""The bytes that a receipt names: where they lie on this machine, how they are checked, how they are kept in a store.

`releases.keep` is not among what is imported here: it needs the stores, which take long to import.
"""

from storage.releases.cache import place, stash, sweep
from storage.releases.items import Item, Kind, ReleaseError, adopted, digests, items, named, same_bytes, short

__all__ = [
    "Item",
    "Kind",
    "ReleaseError",
    "adopted",
    "digests",
    "items",
    "named",
    "place",
    "same_bytes",
    "short",
    "stash",
    "sweep",
]

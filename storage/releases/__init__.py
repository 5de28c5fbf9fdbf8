"""Release archives: the bytes that a receipt names, in a local cache and in the backup store.

`storage.releases.store` is not imported here, because it imports the stores, which are slow to import.
"""

from storage.releases.cache import place, stash, sweep
from storage.releases.items import Item, Kind, ReleaseError, adopted, digests, items, named, same_bytes

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
    "stash",
    "sweep",
]

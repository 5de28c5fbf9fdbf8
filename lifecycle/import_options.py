"""Options of adopted resources, which were made by hand and are imported without redeploying them.

The engine imports such a resource when it first sees it. Until the service's first release (which removes the `adopted`
key from the configuration) the engine ignores changes of its inputs and refuses to delete it. The id stays in the
program, so that an adoption that ended halfway continues with the next update: an imported resource is not imported
again, and one that is not imported yet cannot be created a second time beside, or over, the running one.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


def import_options(own: pulumi.ResourceOptions, id: str | None, inputs: Sequence[str]) -> pulumi.ResourceOptions:
    """Return a resource's own options; with an `id`, also those that import it without changes."""
    if id is None:
        return own
    imported = pulumi.ResourceOptions(import_=id, protect=True, ignore_changes=list(inputs))
    return pulumi.ResourceOptions.merge(own, imported)

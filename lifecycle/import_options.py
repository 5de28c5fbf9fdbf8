"""What was made by hand and is taken over as it runs.

The engine imports such a resource when it sees it first. Until the service's first release from here (which takes its
`adopted` key out of the configuration) nothing of it is compared with what is declared, and the engine refuses to
delete it. That an id stays in the program makes an adoption that ended halfway go on by itself: what has been imported
is not imported again, and what has not can never be created a second time beside, or over, what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


def import_options(own: pulumi.ResourceOptions, id: str | None, inputs: Sequence[str]) -> pulumi.ResourceOptions:
    """The options of a resource: its own; with an `id`, those of one that exists and is left alone."""
    if id is None:
        return own
    left_alone = pulumi.ResourceOptions(import_=id, protect=True, ignore_changes=list(inputs))
    return pulumi.ResourceOptions.merge(own, left_alone)

"""The alerts that the app has, against those that are declared; the engine does not compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.app_platform import alert, alerts_of


def differences(declared: tuple[Mapping[str, Any], ...], spec: Mapping[str, Any], service: str) -> Iterator[str]:
    """What of the app's alerts is not as declared, by rule."""
    wanted = {str(each["rule"]): alert(each) for each in declared}
    found = alerts_of(spec, service)
    for rule in sorted({*wanted, *found}):
        if rule not in found:
            yield f"the alert {rule} is missing"
        elif rule not in wanted:
            yield f"the alert {rule} was added"
        elif found[rule] != wanted[rule]:
            yield f"the alert {rule} is another"

"""Compare the app's alerts with the declared ones, which the engine does not compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.app_platform import alert, alerts_of


def differences(declared: tuple[Mapping[str, Any], ...], spec: Mapping[str, Any], service: str) -> Iterator[str]:
    """Yield the differences from the declared alerts, by rule."""
    expected = {str(each["rule"]): alert(each) for each in declared}
    actual = alerts_of(spec, service)
    for rule in sorted({*expected, *actual}):
        if rule not in actual:
            yield f"the alert {rule} is missing"
        elif rule not in expected:
            yield f"the alert {rule} was added"
        elif actual[rule] != expected[rule]:
            yield f"the alert {rule} differs"

"""docs/parity.md lists exactly the recordings that the tests replay."""

from __future__ import annotations

import pytest

from tests.parity import cloudflare, table, test_digitalocean, test_random
from tests.parity.recordings import load


def test_the_document_is_up_to_date() -> None:
    assert table.TARGET.read_text() == table.text(), "stale; run: python -m tests.parity.table"


@pytest.mark.parametrize("recording", table.recordings())
def test_only_recorded_cases_are_listed_as_exceptions(recording: str) -> None:
    keys = {*table.cases(recording), *table.rows(recording)}
    assert {*table.left_out(recording), *table.in_part(recording)} <= keys
    assert not set(table.left_out(recording)) & set(table.in_part(recording))


@pytest.mark.parametrize("recording", [name for name in table.recordings() if name != table.CONFIGURATION])
def test_every_other_recorded_case_is_replayed(recording: str) -> None:
    keys = {*table.cases(recording), *table.rows(recording)} - set(table.left_out(recording))
    assert keys == _replayed(recording)


def _replayed(recording: str) -> set[str]:
    """Keys that tests are made of."""
    if recording == "cloudflare.retries":
        return {one["name"] for one in load(recording)["cases"]} - set(table.left_out(recording))
    if recording.startswith("cloudflare."):
        steps = {name for of, name in cloudflare.cases("steps") if of == recording}
        matrices = {name for of, name in cloudflare.cases("rows") if of == recording}
        kept = {key for key in table.rows(recording) if key.split(" / ")[0] in matrices}
        return steps | kept | {cloudflare.FIRST_CALLS}
    if recording.startswith("random."):
        return {param.values[0] for kind in ("steps", "results") for param in test_random._cases(kind)} | {
            test_random.key(*param.values) for param in test_random._rows()
        }
    cases = {param.values[1] for param in test_digitalocean._cases() if param.values[0] == recording}
    return cases | {
        test_digitalocean.key(*param.values) for param in test_digitalocean._rows() if param.values[0] == recording
    }

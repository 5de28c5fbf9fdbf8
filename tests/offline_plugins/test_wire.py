"""Property values in the engine's wire format: unknown, secret and refused values."""

from __future__ import annotations

import pytest

from offline_plugins.resource import UNKNOWN, ProviderError, Secret
from offline_plugins.wire import SECRET, SIGNATURE, UNKNOWN_TEXT, from_struct, to_struct


def test_plain_values_are_unchanged_after_a_round_trip() -> None:
    props = {
        "text": "a",
        "whole": 3,
        "part": 0.5,
        "yes": True,
        "none": None,
        "list": [1, [], {}],
        "map": {"a": {"b": 1}},
    }
    back = from_struct(to_struct(props))
    assert back == props
    assert isinstance(back["whole"], int)


def test_an_unknown_value_is_sent_as_the_sentinel() -> None:
    struct = to_struct({"a": UNKNOWN, "b": [UNKNOWN]})
    assert struct.fields["a"].string_value == UNKNOWN_TEXT
    assert from_struct(struct) == {"a": UNKNOWN, "b": [UNKNOWN]}


@pytest.mark.parametrize("kind", ["1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"])
def test_every_sentinel_of_the_engine_is_read_as_unknown(kind: str) -> None:
    assert from_struct(to_struct({"a": kind})) == {"a": UNKNOWN}


def test_secrets_are_marked_in_answers_and_plain_in_requests() -> None:
    struct = to_struct({"a": {"b": Secret("hidden")}})
    marked = struct.fields["a"].struct_value.fields["b"].struct_value
    assert marked.fields[SIGNATURE].string_value == SECRET
    assert from_struct(struct) == {"a": {"b": "hidden"}}
    assert "hidden" not in repr(Secret("hidden"))


def test_an_unknown_value_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNKNOWN)


@pytest.mark.parametrize(
    "signature,word",
    [("c44067f5952c0a294b673a41bacd8c17", "asset"), ("0def7320c3a5731c473e5ecbe6d01bc7", "archive")],
)
def test_assets_are_refused_in_one_sentence(signature: str, word: str) -> None:
    with pytest.raises(ProviderError, match=f"takes no {word}. Fix: give a path or a text"):
        from_struct(to_struct({"content": {SIGNATURE: signature, "text": "x"}}))


def test_other_python_objects_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="a set cannot be sent"):
        to_struct({"a": {1}})

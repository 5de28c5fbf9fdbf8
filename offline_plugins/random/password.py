"""random.RandomPassword: a password in state, generated once and again when any of its inputs changes.

Defaults, replacement rules and texts are those of the recorded plugin (tests/parity).
"""
# ruff: noqa: ARG002 - signatures of the base class

from __future__ import annotations

import secrets
import string
from typing import Any

from offline_plugins.api import Api
from offline_plugins.resource import UNKNOWN, Checked, Diffed, Failure, Props, ProviderError, Resource, Secret

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CLASSES = ("special", "upper", "lower", "numeric")
_MINIMUMS = {"minUpper": "upper", "minLower": "lower", "minNumeric": "numeric", "minSpecial": "special"}
_NUMBERS = ("length", *_MINIMUMS)
_BOOLS = ("special", "upper", "lower", "numeric", "number")
_INPUTS = frozenset({*_NUMBERS, *_BOOLS, "overrideSpecial", "keepers"})
_SECRETS = ("result", "bcryptHash")
_MISSING_LENGTH = (
    "Missing required property 'length': The length of the string desired. The minimum value for length is 1 and, "
    "length must also be >= (`min_upper` + `min_lower` + `min_numeric` + `min_special`)."
)
_DEPRECATED = '[WARNING] property "number" is deprecated: **NOTE**: This is deprecated, use `numeric` instead.'
_DIFFERENT = "Number and numeric are both configured with different values - Number is deprecated, use numeric instead"
_BCRYPT_BYTES = 72  # bcrypt reads no more of a password


class RandomPassword(Resource):
    """Outputs: the inputs with their defaults, `result` and `bcryptHash` (secret), and the id "none"."""

    token = "random:index/randomPassword:RandomPassword"

    def check(self, name: str, seed: bytes, olds: Props, news: Props) -> Checked:
        failures = [
            Failure(
                f"The offline random plugin does not support RandomPassword.{key}. Fix: use the official plugin.", key
            )
            for key in sorted(news.keys() - _INPUTS)
        ]
        if news.get("length") is None:
            failures.append(Failure(_MISSING_LENGTH))
        failures += _invalid(name, news)
        return Checked(news, failures, [_DEPRECATED] if news.get("number") is not None else [])

    def diff(self, id: str, olds: Props, old_inputs: Props, news: Props, ignore: list[str]) -> Diffed:
        planned = _planned(news)
        changed = sorted(key for key in _INPUTS if _differs(olds.get(key), planned.get(key)))
        # Empty and missing keepers are different, but neither requires a new password.
        replaces = [key for key in changed if key != "keepers" or olds.get(key) or planned.get(key)]
        return Diffed(bool(changed), changed, replaces)

    def preview_create(self, news: Props) -> Props:
        return {**_planned(news), "id": UNKNOWN, "result": UNKNOWN, "bcryptHash": UNKNOWN}

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        planned = _planned(news)
        return "none", _made(planned, _generate(planned))

    def preview_update(self, id: str, olds: Props, old_inputs: Props, news: Props) -> Props:
        return {**_sealed(olds), **_planned(news)}

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        return self.preview_update(id, olds, old_inputs, news)

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        if olds:
            return "none", _sealed(olds), old_inputs or {}
        planned = _planned({"length": len(id)})  # an import: the id is the password
        inputs = {key: planned[key] for key in ("length", *_BOOLS)}
        return "none", _made(planned, id), inputs

    def delete(self, api: Api, id: str, olds: Props) -> None:
        """Do nothing: the password is only in state."""


def _invalid(name: str, news: Props) -> list[Failure]:
    """Return the failures of the values; computed ones are not checked."""
    length = _number(news.get("length"))
    minimums = [_number(news.get(key)) for key in _MINIMUMS]
    failures = []
    where = f"Examine values at '{name}.length'."
    if isinstance(length, int) and length < 1:
        failures.append(f"Value. Attribute length value must be at least 1, got: {length}. {where}")
    elif isinstance(length, int) and UNKNOWN not in minimums and length < sum(value or 0 for value in minimums):
        failures.append(
            "Value. Attribute length value must be at least sum of min_upper + min_lower + min_numeric + min_special, "
            f"got: {length}. {where}"
        )
    if all(_bool(news.get(key)) is False for key in _CLASSES):
        failures.append(
            "Combination. At least one attribute out of [special,upper,lower,numeric] must be specified as true. "
            f"Examine values at '{name}.numeric'."
        )
    return [Failure("Invalid Attribute " + text) for text in failures]


def _planned(news: Props) -> Props:
    """Return the outputs that follow from the inputs alone. Raises ProviderError when they contradict each other."""
    planned: Props = {key: _number(news.get(key)) for key in _NUMBERS}
    planned.update({key: _bool(news.get(key)) for key in _BOOLS})
    if planned["number"] is not None and planned["numeric"] is not None and planned["number"] != planned["numeric"]:
        raise ProviderError(f"1 error occurred:\n\t* : {_DIFFERENT}\n\n")
    numeric = planned["number"] if planned["numeric"] is None else planned["numeric"]
    planned["number"] = planned["numeric"] = numeric
    for key in _BOOLS:
        planned[key] = True if planned[key] is None else planned[key]
    for key in _MINIMUMS:
        planned[key] = planned[key] or 0 if planned[key] is not UNKNOWN else UNKNOWN
    if news.get("overrideSpecial") is not None:
        planned["overrideSpecial"] = news["overrideSpecial"]
    if news.get("keepers") is not None:
        planned["keepers"] = _texts(news["keepers"])
    return planned


def _generate(planned: Props) -> str:
    """Generate a random password: every minimum met, the rest from all enabled classes, shuffled."""
    alphabets = {
        "special": planned.get("overrideSpecial") or _SPECIAL,
        "upper": string.ascii_uppercase,
        "lower": string.ascii_lowercase,
        "numeric": string.digits,
    }
    letters = [secrets.choice(alphabets[kind]) for key, kind in _MINIMUMS.items() for _ in range(planned[key])]
    every = "".join(alphabets[kind] for kind in _CLASSES if planned[kind])
    letters += [secrets.choice(every) for _ in range(planned["length"] - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


def _made(planned: Props, password: str) -> Props:
    try:
        import bcrypt  # not at import: only a new password needs it
    except ImportError:
        raise ProviderError(
            "RandomPassword needs the Python package bcrypt, which is not installed. Fix: run `make tools`."
        ) from None
    digest = bcrypt.hashpw(password.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(10, prefix=b"2a"))
    return {**planned, "id": "none", "result": Secret(password), "bcryptHash": Secret(digest.decode())}


def _sealed(olds: Props) -> Props:
    """Return the state's outputs with their secrets marked again."""
    return {key: Secret(value) if key in _SECRETS else value for key, value in olds.items()}


def _differs(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() != new.keys() or any(_differs(old[key], new[key]) for key in old)
    return new is UNKNOWN or old is UNKNOWN or old != new


def _number(value: Any) -> Any:
    """Parse a number, which may be text. Raises ProviderError for other text."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ProviderError(f"RandomPassword: {value!r} is not a whole number; write one") from None
    return value


def _bool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _texts(keepers: Any) -> Any:
    """Return keepers as texts, which numbers and booleans are converted to."""
    if not isinstance(keepers, dict):
        return keepers
    return {key: _text(value) for key, value in keepers.items()}


def _text(value: Any) -> Any:
    if value is UNKNOWN or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)

"""Errors of an invalid configuration: the key, the problem, the consequence, and the fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from errors import STACK, First, Fix, Help, RemoveKey, SetKey, UserError, UserErrors
from settings.backend import APP_NAME_LIMIT, GENERATION_SUFFIX
from settings.bindings import KINDS as BINDING_KINDS
from settings.model import SECRET_KEYS, Settings
from settings.section import EDIT, PROJECT, InvalidSetting, Section
from settings.workers import KINDS, RENAME

# The consequence of a missing or wrong key. A key inside a section has the consequence of its section.
CONSEQUENCES = {
    "generation": "the backend's generation would be unknown",
    "replacement": "it would be unknown which app runs the backend",
    "restart": "it would be unknown whether the backend gets an empty disk",
    "restoreFrom": "it would be unknown which data the backend starts with",
    "data": "it would be unknown whether a release keeps its data",
    "drainSeconds": "the old backend could be deleted while requests still run",
    "writeFreezeSeconds": "writes could be lost while the data is migrated",
    "backup": "the backend's data could not be backed up",
    "backupKey": "backups could not be encrypted",
    "protect": "it would be unknown whether the stack may be destroyed",
    "unlockedUntil": "it would be unknown whether the stack may be destroyed",
    "adminEmail": "the backend would have no admin",
    "adminPassword": "nobody could log in to the backend",
    "adminPasswordVersion": "the admin's password could not be renewed",
    "githubToken": "the API could not reach GitHub",
    "accountId": "no Worker could be uploaded",
    "workersUrl": "the Workers' addresses would be unknown",
    "backend": "the backend could not be deployed",
    "backendSecrets": "the backend would lack one of its variables",
    "workers": "the Worker could not be deployed",
    "workerSecrets": "a Worker would lack one of its secrets",
    "keepStorage": "it would be unknown whether the Workers' data may be deleted",
    "monitoring": "nobody would be notified of an outage",
    "receipt": "it would be unknown which bytes the stack may deploy",
    "keepReleases": "it would be unknown which releases a rollback can deploy",
}
EXAMPLES = {
    "generation": "1",
    "replacement": "1",
    "restart": "0",
    "restoreFrom": "BACKUP",
    "data": "carry",
    "drainSeconds": "5",
    "writeFreezeSeconds": "900",
    "protect": "true",
    "unlockedUntil": "2026-01-31T22:00:00Z",
    "store": "s3://BUCKET/PREFIX",
    "adminEmail": "admin@example.org",
    "accountId": "ACCOUNT_ID",
    "workersUrl": "'https://{script}.ACCOUNT.workers.dev'",
    "appName": "jellyfish-app",
    "service": "oracle-universe-backend",
    "script": "oracle-net",
    "hostname": "oraclenet.org",
    "healthPath": "/api/health",
    "createTimeout": "30m",
    "compatibilityDate": "2025-06-01",
    "digest": "sha256:DIGEST",
    "host": "127.0.0.1:5000",
    "zoneId": "ZONE_ID",
    "keepReleases": "10",
}
SECRET_NAMES = {"backendSecrets": ".NAME", "workerSecrets": ".WORKER.NAME"}
"""The rest of a secret's key in the sections that hold several."""
FORMER = frozenset({"api", "web", "universe"})
"""Keys in stacks' files from before Workers were a map."""
# An app's name has 32 characters; some are reserved for the generation.
NAME_LENGTH = f"2 to {APP_NAME_LIMIT - GENERATION_SUFFIX} characters"
# Descriptions of patterns, by the key's last part.
FORMS = {
    "adminEmail": "an e-mail address",
    "emails": "e-mail addresses",
    "accountId": "32 hexadecimal digits",
    "zoneId": "32 hexadecimal digits",
    "workersUrl": "the Workers' address with {script} for a script's name",
    "appName": f"{NAME_LENGTH}, lower-case letters, digits and dashes, with a letter first",
    "service": "2 to 32 characters, lower-case letters, digits and dashes, with a letter first",
    "script": "1 to 63 lower-case letters, digits and dashes",
    "hostname": "a host name such as oraclenet.org",
    "host": "a registry on this machine, since App Platform knows DOCR, DOCKER_HUB and GHCR alone",
    "compatibilityDate": "a date such as 2025-06-01",
    "digest": "sha256: and 64 hexadecimal digits",
    "store": "an http or https address for images; folder:PATH or s3://BUCKET/PREFIX for backups",
    "restoreFrom": "a backup's name",
    "endpoint": "an http or https address",
    "healthPath": "a path that starts with /",
    "path": "a path that starts with /",
    "createTimeout": "a number with s, m or h behind it",
}


class SettingsError(UserErrors):
    """An invalid configuration: an error for each problem."""


def template_values(key: str) -> UserError:
    """Return the error for a value that is still the template's."""
    return UserError(f"{PROJECT}:{key} still has the template's value; {_consequence(key)}.", _set(key))


def plain_secret(key: str) -> UserError:
    """Return the error for a secret that is not encrypted."""
    return UserError(
        f"{PROJECT}:{key} is stored in plain text, so everybody who reads the repository knows it.",
        SetKey(f"{PROJECT}:{key}{SECRET_NAMES.get(key, '')}", secret=True),
    )


def problems(error: ValidationError) -> Iterator[UserError]:
    """Yield an error for each problem of a validation."""
    errors = error.errors(include_input=False, include_url=False)
    keys = [_key(details["loc"]) for details in errors]
    moved = FORMER.intersection(keys)
    for key, details in zip(keys, errors, strict=True):
        if moved and key == "workers" and details["type"] == "missing":
            continue  # the Workers are there, under their former keys
        if any(other != key and other.startswith(f"{key}[") for other in keys):
            continue  # the list is reported as too short only because of a wrong item
        yield _moved(key) if key in moved else _problem(key, details)


def _moved(key: str) -> UserError:
    return UserError(
        f"{PROJECT}:{key} is a part of {PROJECT}:workers now.",
        First(f"move its lines below {PROJECT}:workers in Pulumi.{STACK}.yaml, as {key}, two spaces further in"),
    )


def _problem(key: str, details: ErrorDetails) -> UserError:
    found = details.get("ctx", {}).get("error")
    invalid = found if isinstance(found, InvalidSetting) else None
    if not key:
        problem = invalid.problem if invalid else f"The configuration {_what(key, details)}."
    elif details["type"] == "extra_forbidden":
        problem = f"{PROJECT}:{key} is not a key that this program knows{_nearest(key)}."
    else:
        problem = f"{PROJECT}:{key} {_what(key, details)}; {_consequence(key)}."
    return UserError(problem, *((invalid and invalid.helps) or _helps(key, details)))


def _helps(key: str, details: ErrorDetails) -> tuple[Help, ...]:
    if not key:
        return (EDIT,)
    if details["type"] == "extra_forbidden":
        return (RemoveKey(f"{PROJECT}:{key}"),)
    if _top(key) == "receipt":
        return (Fix(f"oracle promote FROM {STACK}", "to write it again"), RemoveKey(f"{PROJECT}:receipt"))
    if "[key]" in details["loc"]:
        return (RENAME,)
    return (_set(key),)


def _set(key: str) -> SetKey:
    return SetKey(f"{PROJECT}:{key}", EXAMPLES.get(_last(key), "VALUE"), secret=_top(key) in SECRET_KEYS)


def _what(key: str, details: ErrorDetails) -> str:
    """Return the problem as the end of a sentence that begins with the key."""
    kind = details["type"]
    if kind == "missing":
        return "is missing, and so is assets" if re.fullmatch(r"workers\.\w+\.entry", key) else "is missing"
    if kind == "string_pattern_mismatch" and re.fullmatch(r"workers\.[^.]*", key):
        return "is no name for a Worker (a lower-case letter, then letters and digits, 20 at most)"
    if kind == "string_pattern_mismatch" and _last(key) in FORMS:
        return f"should be {FORMS[_last(key)]}"
    return _plain(details["msg"])


def _consequence(key: str) -> str:
    if named := re.match(r"workers\.(\w+)", key):
        return f"the Worker {named[1]} could not be deployed"
    return CONSEQUENCES.get(_top(key), "the stack could not be deployed")


def _top(key: str) -> str:
    return re.split(r"[.\[]", key)[0]


def _last(key: str) -> str:
    return re.sub(r"\[\d+\]$", "", key.split(".")[-1])


def _plain(message: str) -> str:
    """Return Pydantic's message as the end of a sentence that starts with the key."""
    own = message.removeprefix("Value error, ")
    if own != message:
        return own
    shape = re.sub(r"^String should match pattern '(.*)'$", r"does not have the form \1", message)
    return shape if shape != message else re.sub(r"^(Input|String|Value|Tuple) should", "should", message)


def _key(location: tuple[int | str, ...]) -> str:
    """Return the key in the form of `pulumi config set --path`: `backend.image.path`, `monitoring.emails[0]`."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{to_camel(part) if '_' in part and part.islower() else part}"
        for part in _without_kinds(location)
        if part != "[key]"
    )
    return "".join(parts).removeprefix(".")


def _without_kinds(location: tuple[int | str, ...]) -> Iterator[int | str]:
    """Yield the parts without the kind that pydantic adds after the name of a Worker or of a binding."""
    for index, part in enumerate(location):
        is_kind = part in (KINDS if location[:1] == ("workers",) and index == 2 else BINDING_KINDS)
        if not (is_kind and index >= 2 and location[index - 2] in ("workers", "bindings")):
            yield part


def _nearest(key: str) -> str:
    import difflib

    parents, _, last = key.rpartition(".")
    sections = [each for each in _sections(Section) if each is not Settings] if parents else [Settings]
    names = {to_camel(name) for section in sections for name in section.model_fields}
    near = difflib.get_close_matches(last, sorted(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield each
        yield from _sections(each)

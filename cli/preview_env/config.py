"""The config of a review environment, derived from the config of the stack whose accounts it uses. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from settings import APP_NAME_LIMIT, GENERATION_SUFFIX, HISTORY_KEYS, PROJECT, SCRIPT_NAME_LIMIT, SECRET_KEYS

STACK = re.compile(r"pr-([1-9]\d{0,6})")
"""The names of review environments, with the pull request's number."""
APP_LIMIT = APP_NAME_LIMIT - GENERATION_SUFFIX
MARK = 6
"""The number of hex digits that make shortened names unique."""
LEFT_OUT = SECRET_KEYS | HISTORY_KEYS | {"adminPasswordVersion", "backup", "monitoring", "protect"}
"""Keys that are not copied: the other stack's secrets, history, alerts and protection."""
STORAGE = ("kv", "r2", "d1", "queue")
STORAGE_LIMIT = 63
SEALED = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""The engine's encryption keys in a stack's file. Each stack has its own."""


def declared(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the parsed file of the environment's stack, from the parsed file of the stack whose accounts it uses.

    Encrypted values are left out, because they belong to the other stack and its key.
    """
    prefix = f"{PROJECT}:"
    config = {
        key: _plain(value)
        for key, value in (document.get("config") or {}).items()
        if not _encrypted(value) and key.removeprefix(prefix) not in LEFT_OUT
    }
    backend = config.get(f"{prefix}backend")
    if isinstance(backend, dict):
        config[f"{prefix}backend"] = _renamed(backend, "appName", number, APP_LIMIT, {"adopted"})
    workers = config.get(f"{prefix}workers")
    if isinstance(workers, dict):
        config[f"{prefix}workers"] = {
            name: _worker(worker, number) if isinstance(worker, dict) else worker for name, worker in workers.items()
        }
    own = {
        "data": "ephemeral",
        "keepStorage": False,
        "backup": {"store": f"folder:{folder(number)}"},
        "keepReleases": 2,
    }
    return {"config": {**config, **{prefix + key: value for key, value in own.items()}}}


def text(document: Mapping[str, Any], number: int, source: str, before: Mapping[str, Any]) -> str:
    """Return the text of the stack's file, with the encryption keys of its previous version."""
    content = {**declared(document, number), **{key: before[key] for key in SEALED if key in before}}
    head = f"# Written by `oracle review {number}` from {source}, and not for git. `--down` deletes it.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=200)


def folder(number: int) -> str:
    """Return the environment's folder on this machine, relative to the project."""
    return f".oracle/reviews/pr-{number}"


def named(number: int, name: str, limit: int) -> str:
    """Return the environment's own name for a resource `name`, at most `limit` characters.

    Different names stay different, also between pull requests.
    """
    whole = f"pr-{number}-{name}"
    if len(whole) <= limit:
        return whole
    mark = hashlib.sha256(name.encode()).hexdigest()[:MARK]
    room = limit - len(f"pr-{number}--{mark}")
    return "-".join(filter(None, (f"pr-{number}", name[: max(room, 0)].strip("-"), mark)))


def _renamed(section: Mapping[str, Any], key: str, number: int, limit: int, removed: Iterable[str]) -> dict[str, Any]:
    section = {name: value for name, value in section.items() if name not in removed}
    return {**section, key: named(number, str(section[key]), limit)} if key in section else section


def _worker(worker: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the Worker with its own name and storage and without a domain, so that it is reached on workers.dev."""
    result = _renamed(worker, "script", number, SCRIPT_NAME_LIMIT, {"adopted", "domain", "workersDev"})
    for name, binding in (result.get("bindings") or {}).items():
        stored = {kind: named(number, str(binding[kind]), STORAGE_LIMIT) for kind in STORAGE if kind in binding}
        result["bindings"] = {**result["bindings"], name: {**binding, **stored}}
    consumes = result.get("consumes") or {}
    if consumes:
        result["consumes"] = {
            named(number, queue, STORAGE_LIMIT): {
                key: named(number, str(value), STORAGE_LIMIT) if key == "deadLetterQueue" else value
                for key, value in consumer.items()
            }
            for queue, consumer in consumes.items()
        }
    return result


def _plain(value: Any) -> Any:
    """Return the value without the encrypted values inside."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if not _encrypted(each)}
    if isinstance(value, list):
        return [_plain(each) for each in value if not _encrypted(each)]
    return value


def _encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}

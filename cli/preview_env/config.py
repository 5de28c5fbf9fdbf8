"""The configuration of a pull request's environment, made from that of the stack whose accounts it uses. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from settings import APP_NAME_LIMIT, GENERATION_SUFFIX, HISTORY_KEYS, PROJECT, SCRIPT_NAME_LIMIT, SECRET_KEYS

STACK = re.compile(r"pr-([1-9]\d{0,6})")
"""The names of such stacks; the number is the pull request's."""
APP_LIMIT = APP_NAME_LIMIT - GENERATION_SUFFIX
MARK = 6
"""Hex digits that keep shortened names apart."""
LEFT_OUT = SECRET_KEYS | HISTORY_KEYS | {"adminPasswordVersion", "backup", "monitoring", "protect"}
"""What belongs to the other stack alone: its secrets, its history, its alarms, its protection."""
STORAGE = ("kv", "r2", "d1", "queue")
STORAGE_LIMIT = 63
SEALED = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""What the engine writes into a stack's file to encrypt its secrets; each stack has its own."""


def declared(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The parsed file of the pull request's stack, from the parsed file of the stack whose accounts it uses.

    Nothing that is encrypted there comes along: the values belong to that stack's key, and its secrets to itself.
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
    """The stack's file, with what the engine wrote into the one before to encrypt secrets."""
    made = {**declared(document, number), **{key: before[key] for key in SEALED if key in before}}
    head = f"# Written by `oracle review {number}` from {source}, and not for git; `--down` takes it away again.\n"
    return head + yaml.safe_dump(made, sort_keys=False, width=200)


def folder(number: int) -> str:
    """What an environment leaves on this machine, below the project."""
    return f".oracle/reviews/pr-{number}"


def named(number: int, name: str, limit: int) -> str:
    """The environment's own name for what is called `name` elsewhere, at most `limit` characters.

    Two names stay two, and those of two pull requests never meet.
    """
    whole = f"pr-{number}-{name}"
    if len(whole) <= limit:
        return whole
    mark = hashlib.sha256(name.encode()).hexdigest()[:MARK]
    room = limit - len(f"pr-{number}--{mark}")
    return "-".join(filter(None, (f"pr-{number}", name[: max(room, 0)].strip("-"), mark)))


def _renamed(section: Mapping[str, Any], key: str, number: int, limit: int, gone: Iterable[str]) -> dict[str, Any]:
    kept = {name: value for name, value in section.items() if name not in gone}
    return {**kept, key: named(number, str(kept[key]), limit)} if key in kept else kept


def _worker(worker: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Under its own name, without a domain (it is reached on workers.dev, as by default), with storage of its own."""
    made = _renamed(worker, "script", number, SCRIPT_NAME_LIMIT, {"adopted", "domain", "workersDev"})
    for name, binding in (made.get("bindings") or {}).items():
        stored = {kind: named(number, str(binding[kind]), STORAGE_LIMIT) for kind in STORAGE if kind in binding}
        made["bindings"] = {**made["bindings"], name: {**binding, **stored}}
    consumes = made.get("consumes") or {}
    if consumes:
        made["consumes"] = {
            named(number, queue, STORAGE_LIMIT): {
                key: named(number, str(value), STORAGE_LIMIT) if key == "deadLetterQueue" else value
                for key, value in consumer.items()
            }
            for queue, consumer in consumes.items()
        }
    return made


def _plain(value: Any) -> Any:
    """The value without anything encrypted inside it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if not _encrypted(each)}
    if isinstance(value, list):
        return [_plain(each) for each in value if not _encrypted(each)]
    return value


def _encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}

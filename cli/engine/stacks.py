"""Stacks of one's own on this machine: their files, written and kept up from the template of local stacks.

Such a file is nobody else's: git ignores it, since it holds what only this machine's network knows, such as the
generation that a wipe has counted up.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

import yaml_text
from cli.engine import stack_file
from cli.engine.workspace import FIRST, Stack, get_or_none
from cli.ui.errors import CommandError
from settings import APP_NAME_LIMIT, GENERATION_SUFFIX, HISTORY_KEYS, PROJECT, SCRIPT_NAME_LIMIT

TEMPLATE = Path("localcloud") / "stack.yaml"
MARK = f"# Written by `oracle up` from {TEMPLATE}"
HEAD = f"""{MARK}, and not for git. Change any value, and add keys; comments are not kept.
# What the template gains or changes comes here by the next `oracle up`, except over a value of yours.
"""
OWN_NAME = re.compile(r"[a-z][a-z0-9-]*")
ALIKE = 0.7
"""From this likeness on (difflib's ratio) a name is taken for a misspelt one."""
REVIEW = re.compile(r"pr-\d+")
HISTORY = {f"{PROJECT}:{key}" for key in HISTORY_KEYS}
DIGITS = 6
ABSENT = object()


def provide(stack: Stack) -> Iterator[str]:
    """Writes the stack's file where there is none, brings one written before up to date; a line for what it did.

    Raises CommandError for a name that is no stack's of one's own.
    """
    if not stack.file.is_file():
        _refuse(stack)
        write(stack)
        yield (
            f"The stack {stack.name} is new: {stack.file.name}, written from {TEMPLATE}, declares a network of its own "
            "on this machine."
        )
    elif stack.file.read_text().startswith(MARK) and _update(stack):
        yield f"{stack.file.name} has what is new in {TEMPLATE}."


def write(stack: Stack) -> None:
    """Writes the stack's file from the template."""
    text = rendered(stack)
    stack.file.write_text(HEAD + text)
    _record(stack, text)


def rendered(stack: Stack) -> str:
    """The template for this stack: under names of its own, in the account that is there. Raises CommandError."""
    text = (stack.project / TEMPLATE).read_text()
    text = text[text.index("config:") :]
    shipped = Account.of(yaml_text.load(text))
    text = _moved(text, shipped, _account(stack) or shipped)
    if stack.name == FIRST:
        return text
    for key, limit in (("appName", APP_NAME_LIMIT - GENERATION_SUFFIX), ("script", SCRIPT_NAME_LIMIT)):
        text = re.sub(
            rf"^( +{key}: )(\S+)$",
            lambda found, most=limit: found[1] + own_name(found[2], stack.name, most),  # type: ignore[misc]
            text,
            flags=re.MULTILINE,
        )
    return text


def own_name(name: str, stack: str, limit: int) -> str:
    """The stack's own name for what is called `name` in the template, at most `limit` characters."""
    whole = f"{name}-{stack}"
    if len(whole) <= limit:
        return whole
    digits = hashlib.sha256(stack.encode()).hexdigest()[:DIGITS]
    room = max(limit - len(name) - DIGITS - 2, 0)
    return "-".join(filter(None, (name, stack[:room].strip("-"), digits)))


def merged(own: Any, before: Any, now: Any) -> Any:
    """A value of the file after the template said `before` and says `now`: whatever is a person's stays."""
    if isinstance(own, dict) and isinstance(now, dict):
        was = before if isinstance(before, dict) else {}
        keys = [*own, *(key for key in now if key not in own)]
        made = {key: merged(own.get(key, ABSENT), was.get(key, ABSENT), now.get(key, ABSENT)) for key in keys}
        return {key: value for key, value in made.items() if value is not ABSENT}
    return now if own == before else own


@dataclass(frozen=True)
class Account:
    """A local cloud's ports, and the id of the account that it is."""

    port: int
    edge_port: int
    id: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Account:
        """As a stack's file declares it. Raises KeyError and the like where it does not."""
        config = document["config"]
        workers = str(config[f"{PROJECT}:workersUrl"]).replace("{script}.", "")
        ports = [urlsplit(address).port or 80 for address in (str(config["digitalocean:apiEndpoint"]), workers)]
        return cls(ports[0], ports[1], str(config[f"{PROJECT}:accountId"]))


def _account(stack: Stack) -> Account | None:
    """The account that the stack is in already, else the first stack's; None where there is neither."""
    for file in (stack.file, Stack(FIRST, stack.project).file):
        try:
            return Account.of(yaml_text.load(file.read_text()))
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
            continue
    return None


def _moved(text: str, here: Account, there: Account) -> str:
    ports = {str(here.port): there.port, str(here.edge_port): there.edge_port}
    moved = re.sub(rf":({here.port}|{here.edge_port})\b", lambda found: f":{ports[found[1]]}", text)
    return moved.replace(here.id, there.id)


def _update(stack: Stack) -> bool:
    """Brings the file up to the template; whether anything was to be done. Raises CommandError."""
    text = rendered(stack)
    own = _parsed(stack)
    before = yaml_text.load(_kept(stack).read_text()) if _kept(stack).is_file() else {}
    made = {**own, "config": merged(own.get("config") or {}, _shared(before), _shared(yaml_text.load(text)))}
    _record(stack, text)
    if made == own:
        return False
    stack_file.replace(stack.file, (HEAD + yaml.safe_dump(made, sort_keys=False, width=200)).encode())
    return True


def _parsed(stack: Stack) -> dict[str, Any]:
    """The file's document. Raises CommandError where it is none."""
    try:
        found = yaml_text.load(stack.file.read_text())
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        stack.settings()  # which says where it is wrong
    return dict(found or {})


def _shared(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (document.get("config") or {}).items() if key not in HISTORY}


def _kept(stack: Stack) -> Path:
    """The template as it was when the file was last brought up to it."""
    return stack.private / "stacks" / f"{stack.name}.yaml"


def _record(stack: Stack, text: str) -> None:
    stack.make_private(_kept(stack).parent)
    _kept(stack).write_text(text)


def _refuse(stack: Stack) -> None:
    """Raises CommandError for a name that would not do for a stack of one's own, or that somebody has mistyped."""
    name = stack.name
    if REVIEW.fullmatch(name):
        raise CommandError(f"{name} is a pull request's environment, which is brought up by: oracle review {name[3:]}")
    if like := next((other for other in _others(stack) if _alike(name, other)), None):
        raise CommandError(
            f"There is no stack {name}; did you mean {like}? A stack of your own on this machine has another name than "
            f"one so like {like}: oracle up NAME"
        )
    if not OWN_NAME.fullmatch(name):
        raise CommandError(
            f"A stack of your own has a name of small letters, digits and dashes, which {name} is not: oracle up NAME"
        )


def _others(stack: Stack) -> Iterator[str]:
    """The stacks that somebody may have meant: this machine's first, and those on real clouds."""
    yield from (name for name in get_or_none(stack.project) if name != FIRST and _is_real(Stack(name, stack.project)))
    if stack.name != FIRST:
        yield FIRST


def _is_real(stack: Stack) -> bool:
    try:
        return not stack.on_local_cloud
    except (CommandError, AttributeError):  # nobody can say before the file is mended
        return True


def _alike(name: str, other: str) -> bool:
    lower = name.lower()
    begins = lower.startswith(other) or (len(lower) > 1 and other.startswith(lower))
    return begins or difflib.SequenceMatcher(None, lower, other).ratio() >= ALIKE

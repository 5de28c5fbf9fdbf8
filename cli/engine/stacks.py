"""Developers' own stacks on this machine: create and update their files from the template of local stacks.

Git ignores these files. They contain values of this machine's network only, such as the generation that a wipe raised.
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
from cli.engine.workspace import FIRST, Stack, stack_names
from cli.ui.errors import CommandError
from errors import Fix, UserError
from settings import APP_NAME_LIMIT, GENERATION_SUFFIX, HISTORY_KEYS, PROJECT, SCRIPT_NAME_LIMIT

TEMPLATE = Path("localcloud") / "stack.yaml"
MARK = f"# Written by `oracle up` from {TEMPLATE}"
HEAD = f"""{MARK}, and not for git. Change any value, and add keys; comments are not kept.
# What the template gains or changes comes here by the next `oracle up`, except over a value of yours.
"""
OWN_NAME = re.compile(r"[a-z][a-z0-9-]*")
ALIKE = 0.7
"""Names at least this similar (difflib's ratio) are taken for misspelt ones."""
REVIEW = re.compile(r"pr-\d+")
HISTORY = {f"{PROJECT}:{key}" for key in HISTORY_KEYS}
DIGITS = 6
ABSENT = object()


def provide(stack: Stack) -> Iterator[str]:
    """Create the stack's file, or update an earlier one from the template; yield a line for each change.

    Raises CommandError for a name that a developer's own stack cannot have.
    """
    if not stack.file.is_file():
        _refuse_name(stack)
        write(stack)
        yield (
            f"The stack {stack.name} is new: {stack.file.name}, written from {TEMPLATE}, declares a network of its own "
            "on this machine."
        )
    elif stack.file.read_text().startswith(MARK) and _update(stack):
        yield f"{stack.file.name} was updated from {TEMPLATE}."


def write(stack: Stack) -> None:
    """Write the stack's file from the template."""
    text = rendered(stack)
    stack.file.write_text(HEAD + text)
    _record(stack, text)


def rendered(stack: Stack) -> str:
    """Return the template for this stack: with names of its own, in the existing account. Raises CommandError."""
    text = (stack.project / TEMPLATE).read_text()
    text = text[text.index("config:") :]
    shipped = Account.of(yaml_text.load(text))
    text = _in_account(text, shipped, _account(stack) or shipped)
    if stack.name == FIRST:
        return text
    for key, limit in (("appName", APP_NAME_LIMIT - GENERATION_SUFFIX), ("script", SCRIPT_NAME_LIMIT)):
        text = re.sub(
            rf"^( +{key}: )(\S+)$",
            lambda match, most=limit: match[1] + own_name(match[2], stack.name, most),  # type: ignore[misc]
            text,
            flags=re.MULTILINE,
        )
    return text


def own_name(name: str, stack: str, limit: int) -> str:
    """Return the stack's own name for the template's `name`, with at most `limit` characters."""
    whole = f"{name}-{stack}"
    if len(whole) <= limit:
        return whole
    digits = hashlib.sha256(stack.encode()).hexdigest()[:DIGITS]
    room = max(limit - len(name) - DIGITS - 2, 0)
    return "-".join(filter(None, (name, stack[:room].strip("-"), digits)))


def merged(own: Any, before: Any, now: Any) -> Any:
    """Merge a change of the template, from `before` to `now`, into the file's `own` value; a user's value wins."""
    if isinstance(own, dict) and isinstance(now, dict):
        earlier = before if isinstance(before, dict) else {}
        keys = [*own, *(key for key in now if key not in own)]
        values = {key: merged(own.get(key, ABSENT), earlier.get(key, ABSENT), now.get(key, ABSENT)) for key in keys}
        return {key: value for key, value in values.items() if value is not ABSENT}
    return now if own == before else own


@dataclass(frozen=True)
class Account:
    """A local cloud's ports and account id."""

    port: int
    edge_port: int
    id: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Account:
        """Read them from a stack's file. Raises KeyError, TypeError or ValueError when one is missing or wrong."""
        config = document["config"]
        workers = str(config[f"{PROJECT}:workersUrl"]).replace("{script}.", "")
        ports = [urlsplit(address).port or 80 for address in (str(config["digitalocean:apiEndpoint"]), workers)]
        return cls(ports[0], ports[1], str(config[f"{PROJECT}:accountId"]))


def _account(stack: Stack) -> Account | None:
    """Return the stack's present account, else the first stack's; None when neither has one."""
    for file in (stack.file, Stack(FIRST, stack.project).file):
        try:
            return Account.of(yaml_text.load(file.read_text()))
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
            continue
    return None


def _in_account(text: str, here: Account, there: Account) -> str:
    ports = {str(here.port): there.port, str(here.edge_port): there.edge_port}
    changed = re.sub(rf":({here.port}|{here.edge_port})\b", lambda match: f":{ports[match[1]]}", text)
    return changed.replace(here.id, there.id)


def _update(stack: Stack) -> bool:
    """Update the file from the template; return whether it changed. Raises CommandError."""
    text = rendered(stack)
    own = _parsed(stack)
    before = yaml_text.load(_recorded_template(stack).read_text()) if _recorded_template(stack).is_file() else {}
    result = {**own, "config": merged(own.get("config") or {}, _shared(before), _shared(yaml_text.load(text)))}
    _record(stack, text)
    if result == own:
        return False
    stack_file.replace(stack.file, (HEAD + yaml.safe_dump(result, sort_keys=False, width=200)).encode())
    return True


def _parsed(stack: Stack) -> dict[str, Any]:
    """Return the file's document. Raises CommandError when it has none."""
    try:
        document = yaml_text.load(stack.file.read_text())
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        stack.settings()  # raises with the place of the error
    return dict(document or {})


def _shared(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (document.get("config") or {}).items() if key not in HISTORY}


def _recorded_template(stack: Stack) -> Path:
    """Return the path of the template as of the file's last update."""
    return stack.private / "stacks" / f"{stack.name}.yaml"


def _record(stack: Stack, text: str) -> None:
    stack.make_private(_recorded_template(stack).parent)
    _recorded_template(stack).write_text(text)


def _refuse_name(stack: Stack) -> None:
    """Raise CommandError for a name that a developer's own stack cannot have, or that looks misspelt."""
    name = stack.name
    if REVIEW.fullmatch(name):
        raise CommandError(
            f"{name} is the review environment of a pull request.", Fix(f"oracle review {name[3:]}", "to create it")
        )
    if like := next((other for other in _others(stack) if _are_alike(name, other)), None):
        raise CommandError(
            f"There is no stack {name}, and a new stack's name may not be so similar to {like}.",
            Fix("make up" if like == FIRST else f"oracle deploy --stack {like}", f"if you mean {like}"),
            Fix("oracle up NAME", "with a less similar name, for a stack of your own on this machine"),
        )
    if not OWN_NAME.fullmatch(name):
        raise CommandError(
            f"The name {name} is not allowed: a stack of your own on this machine has a name of lowercase letters, "
            "digits and dashes, which begins with a letter.",
            Fix("oracle up NAME", "with another name"),
        )


def _others(stack: Stack) -> Iterator[str]:
    """Yield the stacks that the user may have meant: those on real clouds, and this machine's first."""
    yield from (name for name in stack_names(stack.project) if name != FIRST and _is_real(Stack(name, stack.project)))
    if stack.name != FIRST:
        yield FIRST


def _is_real(stack: Stack) -> bool:
    try:
        return not stack.on_local_cloud
    except (UserError, AttributeError):  # unknown until the file is fixed
        return True


def _are_alike(name: str, other: str) -> bool:
    lower = name.lower()
    begins = lower.startswith(other) or (len(lower) > 1 and other.startswith(lower))
    return begins or difflib.SequenceMatcher(None, lower, other).ratio() >= ALIKE

"""The text of an error, and the commands that fix it: the only place that joins the two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from errors import STACK, First, Fix, Help, Remedy, RemoveKey, RestoreBackup, SetKey, UserError, UserErrors

COMMANDS = {
    Remedy.BUILD: Fix(f"oracle build --stack {STACK}"),
    Remedy.LOAD_ENVIRONMENT: Fix(f'eval "$(oracle env {STACK})"', "to load the stack's environment"),
    Remedy.START_LOCAL_CLOUD: Fix(f"oracle cloud start --stack {STACK}", "to start the local cloud"),
    Remedy.READ_LOCAL_CLOUD_LOG: Fix(f"oracle cloud logs --stack {STACK}", "to read the local cloud's log"),
    Remedy.LIST_BACKUPS: Fix(f"oracle backups {STACK}", "to see the backups"),
    Remedy.TAKE_BACKUP: Fix(f"oracle backup {STACK}"),
    Remedy.MAKE_BACKUP_KEY: Fix(f"oracle backups {STACK} --new-key", "to make a key"),
    Remedy.LIST_RELEASES: Fix(f"oracle rollback {STACK} --list", "to see the releases"),
    Remedy.SHOW_ADMIN_PASSWORD: Fix(
        f"pulumi stack output adminPassword --show-secrets --stack {STACK}",
        "to see the declared password, and set it in the backend's dashboard",
    ),
    Remedy.READ_BACKEND_LOG: Fix(f"oracle tail backend --stack {STACK}", "to read the backend's log"),
}
"""The command for each remedy, but for `RETRY` and `RETRY_CONFIRMED`, which repeat the one that has failed."""


def text(error: UserError, stack: str, retry: str) -> str:
    """Return an error as the user sees it: the problem, its cause, and the commands that fix it.

    `retry` is the command that does again what has failed; it is empty if that is said elsewhere.
    """
    if isinstance(error, UserErrors):
        return "\n".join(text(each, stack, retry) for each in error.errors)
    problem = with_fixes(str(error), fixes(error, stack, retry))
    go_on = error.go_on.replace(STACK, stack)
    return problem if not go_on else f"{_ended(problem)} To go on, run `{go_on}`."


def with_fixes(problem: str, helps: Sequence[Fix]) -> str:
    """Return the problem as a sentence, followed by its fixes as another one; below lines of another program."""
    if not helps:
        return problem
    fix = f"Fix: {'; or '.join(map(_sentence, helps))}."
    quoted = "\n" in problem and not problem.endswith(".")
    return f"{problem}\n{fix}" if quoted else f"{_ended(problem)} {fix}"


def _ended(text: str) -> str:
    """Return the text with a full stop at its end, unless it has a mark there."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def fixes(error: UserError, stack: str, retry: str) -> list[Fix]:
    """Return the error's fixes, with the stack's name in their commands. An empty `retry` is no fix."""
    found = (fix(each, stack, retry) for each in error.helps)
    return [each for each in found if each.command or each.first]


def command(error: UserError, stack: str, retry: str) -> str:
    """Return the first command that fixes the error; `retry` if it names none."""
    return next((each.command for each in fixes(error, stack, retry) if each.command), retry)


def fix(help: Help, stack: str, retry: str) -> Fix:
    """Return what helps as a command, with the stack's name in it."""
    found = _fix(help, retry)
    then = found.then if isinstance(found.then, str) else _fix(found.then, retry).command
    return Fix(
        found.command.replace(STACK, stack),
        found.purpose,
        found.first.replace(STACK, stack),
        then.replace(STACK, stack),
    )


def _fix(help: Help, retry: str) -> Fix:
    match help:
        case Fix():
            return help
        case Remedy.RETRY:
            return Fix(retry)
        case Remedy.RETRY_CONFIRMED:
            return Fix(f"{retry} --yes" if retry else "", "to confirm it beforehand" if retry else "")
        case Remedy():
            return COMMANDS[help]
        case First(action=action, then=then):
            return Fix(first=action, command=_fix(then, retry).command if then else "")
        case SetKey(key=key, value=value, secret=secret, then=then):
            shown = "--secret " if secret else ""
            end = "" if secret else f" {value}"
            return Fix(f"pulumi config set {shown}{_path(key)}{quote(key)}{end} --stack {STACK}", then=then or "")
        case RestoreBackup(backup=backup):
            return Fix(f"oracle restore {backup} {STACK}", "to restore its records")
        case RemoveKey(key=key):
            return Fix(f"pulumi config rm {_path(key)}{quote(key)} --stack {STACK}")


def _path(key: str) -> str:
    """Return the option with which the engine reads a key as a path."""
    return "--path " if "." in key or "[" in key else ""


def _sentence(fix: Fix) -> str:
    return ", then ".join(_steps(fix))


def _steps(fix: Fix) -> Iterator[str]:
    if fix.first:
        yield fix.first
    if fix.command:
        yield f"run `{fix.command}` {fix.purpose}".rstrip()
    if fix.then:
        yield f"run `{fix.then}`"

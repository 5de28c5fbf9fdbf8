"""What is wrong with one Worker: the first cause that explains what is seen, and nothing that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cli.status.clouds import SECRET_CHANGE, CloudTrouble, Version, WorkerFacts
from cli.status.declared import DeclaredWorker
from cli.status.model import Finding, Level, short
from cli.status.probe import Answer
from settings import HealthSettings
from stack_outputs import ADOPTED, LOGIN_MARK

BACKEND_ADDRESS = "POCKETBASE_URL"
TOLERANCE = timedelta(seconds=2)
"""Between a version's own time and its script's, which one upload sets."""


@dataclass(frozen=True, kw_only=True)
class WorkerSnapshot:
    """One Worker, as everybody sees it and as Cloudflare shows it."""

    name: str
    script: str
    address: str
    declared: DeclaredWorker | None
    release: str | None
    """In the receipt."""
    facts: WorkerFacts | CloudTrouble
    front: Answer
    """To what its health asks for."""
    health: HealthSettings
    workers_dev: bool
    hostname: str | None = None
    """Its own domain, as declared."""
    domains: Mapping[str, str] | None = None
    """The account's custom domains, each with its script; None where they are not known."""
    wrangler: str
    """How wrangler is called for this stack."""
    up: str
    """How the stack is updated."""

    @property
    def version(self) -> str | None:
        """What the version that has the traffic was uploaded as."""
        return self.facts.release if isinstance(self.facts, WorkerFacts) else None

    @property
    def knows_backend(self) -> bool:
        """Whether the backend's address is bound to it, so that it may fail because the backend does."""
        bindings = self.facts.bindings if isinstance(self.facts, WorkerFacts) else {}
        return BACKEND_ADDRESS in bindings or (self.declared is not None and BACKEND_ADDRESS in self.declared.bindings)

    @property
    def adopted(self) -> str:
        """The version that was taken over, as long as it is to run; else empty."""
        release = self.release or ""
        return release.removeprefix(ADOPTED) if release.startswith(ADOPTED) else ""

    @property
    def answers(self) -> bool:
        return self.health.accepts(self.front.status)

    @property
    def level(self) -> Level:
        return "degraded" if self.answers else "down"

    @property
    def but(self) -> str:
        """What is behind a finding's sentence when the Worker does not answer."""
        return "" if self.answers else f", and it does not serve ({self.front})"

    def bound(self, name: str) -> str | None:
        bindings = self.facts.bindings if isinstance(self.facts, WorkerFacts) else {}
        return (bindings.get(name) or {}).get("text")


def diagnose_worker(seen: WorkerSnapshot, backend_is_down: bool) -> Finding | None:
    """The one thing that is wrong with the Worker, if there is any that is its own."""
    return changed_outside_pulumi(seen) or _as_seen(seen, backend_is_down)


def changed_outside_pulumi(seen: WorkerSnapshot) -> Finding | None:
    """The first way in which the Worker is another than was declared, whether it serves or not; None where its cloud
    tells nothing.
    """
    return _changed_outside_pulumi(seen) if isinstance(seen.facts, WorkerFacts) else None


def own_version(seen: WorkerSnapshot) -> str | None:
    """The version that is to have the traffic, as long as there is one: the engine's last upload, or the adopted."""
    if not isinstance(seen.facts, WorkerFacts):
        return None
    if seen.adopted:
        return next((each.id for each in seen.facts.versions if each.id == seen.adopted), None)
    return next((each.id for each in seen.facts.versions if _as_the_engine_made(seen, each)), None)


def phase(facts: WorkerFacts | CloudTrouble) -> str | None:
    """One word for where the traffic goes."""
    if isinstance(facts, CloudTrouble):
        return None
    if facts.gone:
        return "gone"
    if facts.deployments and len(facts.deployments[0].shares) > 1:
        return "split"
    return "rolled back" if facts.passed_over else "active" if facts.active else "not deployed"


def changed_secret(facts: WorkerFacts) -> Version | None:
    """The newest version in which a person has put a secret; what an update binds by itself has LOGIN_MARK."""
    versions = {each.id: each for each in facts.versions}
    chain = [versions[id] for id in facts.secrets if id in versions]
    for after, before in pairwise(chain):
        now, then = facts.secrets[after.id], facts.secrets[before.id]
        differ = now ^ then
        if after.trigger == SECRET_CHANGE and (LOGIN_MARK not in differ or differ - {LOGIN_MARK}):
            return after
    return None


def _changed_outside_pulumi(seen: WorkerSnapshot) -> Finding | None:
    assert isinstance(seen.facts, WorkerFacts)
    if seen.facts.gone:
        return _finding(seen, f"The Worker {seen.script} is gone: it was deleted behind the engine's back", seen.up)
    if seen.facts.enabled is not None and seen.facts.enabled is not seen.workers_dev:
        turned = "on" if seen.facts.enabled else "off"
        return _finding(seen, f"The workers.dev address of {seen.script} was switched {turned}{seen.but}", seen.up)
    if seen.hostname and seen.domains is not None and seen.domains.get(seen.hostname) != seen.script:
        other = seen.domains.get(seen.hostname)
        leads = f"leads to {other}" if other else "leads to no Worker"
        return _finding(seen, f"{seen.hostname} {leads}, not to {seen.script}{seen.but}", seen.up)
    if seen.adopted:
        return _shared(seen, seen.facts) or _since_adoption(seen, seen.facts)
    found = _shared(seen, seen.facts) or _rolled_back(seen, seen.facts) or _secret(seen, seen.facts)
    return found or _bindings(seen, seen.facts) or _uploaded(seen, seen.facts)


def _shared(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    shares = facts.deployments[0].shares if facts.deployments else {}
    if len(shares) < 2:
        return None
    newest = max(shares, key=lambda id: next((each.number for each in facts.versions if each.id == id), 0))
    parts = " and ".join(f"{share:g} % to {short(id)}" for id, share in shares.items())
    return _finding(seen, f"The traffic of {seen.script} is shared, {parts}{seen.but}", _deploy(seen, newest))


def _since_adoption(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    """A Worker made by hand tells nothing of itself: it is known by the version that was taken over."""
    if facts.active is None or facts.active.id == seen.adopted or LOGIN_MARK in facts.bindings:
        return None
    by = _by(facts.active.author, facts.active.created)
    what = f"{seen.script} runs version {facts.active.number}{by}, not the one that was adopted{seen.but}"
    return _finding(seen, what, _deploy(seen, seen.adopted))


def _rolled_back(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    lost, active = facts.passed_over, facts.active
    if lost is None or active is None or _is_the_engines(seen, facts, active):
        return None
    by = _by(facts.deployments[0].author, facts.deployments[0].created)
    what = f"{seen.script} was rolled back{by} to version {active.number}, from {lost.number}{seen.but}"
    return _finding(seen, what, _deploy(seen, lost.id))


def _is_the_engines(seen: WorkerSnapshot, facts: WorkerFacts, active: Version) -> bool:
    """Whether the active version is the engine's last. A refresh takes over the time of an upload by hand, which then
    seems to be the engine's; but only what the engine uploads calls itself what the receipt says.
    """
    if _as_the_engine_made(seen, active):
        return True
    if seen.declared is not None and any(_differences(seen.declared, facts)):
        return False
    return seen.release is not None and seen.bound("RELEASE") == seen.release != facts.lost_release


def _secret(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    changed = changed_secret(facts)
    if changed is None:
        return None
    upload = list(facts.secrets)[-1]
    what = f"{_which(facts, upload)} of {seen.script} was changed behind the engine's back"
    what += f"{_by(changed.author, changed.created)}{seen.but}"
    return _finding(seen, what, _deploy(seen, upload))


def _which(facts: WorkerFacts, upload: str) -> str:
    """The secret that was changed, as far as names tell: Cloudflare shows no more."""
    assert facts.active is not None
    names = (facts.secrets[facts.active.id] ^ facts.secrets[upload]) - {LOGIN_MARK}
    return f"The secret {', '.join(sorted(names))}" if names else "A secret"


def _bindings(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    if seen.declared is None or facts.active is None:
        return None
    wrong = list(_differences(seen.declared, facts))
    if not wrong:
        return None
    return _finding(seen, f"{seen.script} is not bound as declared: {', '.join(wrong)}{seen.but}", _again(seen))


def _differences(declared: DeclaredWorker, facts: WorkerFacts) -> Iterator[str]:
    """Names and kinds, and the text of plain bindings; never a secret's."""
    wanted = declared.bindings
    for name in sorted(set(wanted) | set(facts.bindings)):
        here, there = wanted.get(name), facts.bindings.get(name)
        if name == LOGIN_MARK:
            continue
        if here is None:
            yield f"{name} was added"
        elif there is None:
            yield f"{name} is missing"
        elif here.type != there["type"]:
            yield f"{name} is {there['type']}, not {here.type}"
        elif here.type == "plain_text" and there.get("text") != here.text:
            yield f"{name} is {_shown(there.get('text'))}, not {_shown(here.text)}"


def _uploaded(seen: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    """Another code, or another upload than the engine's."""
    if seen.declared is None or facts.active is None:
        return None
    other = bool(seen.declared.etag and facts.etag and seen.declared.etag != facts.etag)
    later = facts.active.trigger != SECRET_CHANGE and _after(facts.active.created, seen.declared.modified)
    if not other and not later:
        return None
    how = "another code" if other else "the same code"
    by = _by(facts.active.author, facts.active.created)
    what = f"{seen.script} was uploaded with {how} behind the engine's back{by}{seen.but}"
    return _finding(seen, what, _again(seen))


def _as_seen(seen: WorkerSnapshot, backend_is_down: bool) -> Finding | None:
    """What everybody can see, when nothing explains it."""
    if not seen.answers and backend_is_down and seen.knows_backend:
        return None
    if not seen.answers:
        where = f"{seen.address}{seen.health.path}"
        return _finding(seen, f"{seen.script} does not serve: {_said(seen.front)} at {where}", _logs(seen))
    if seen.release and not seen.adopted and seen.version and seen.version != seen.release:
        return _finding(
            seen, f"{seen.script} runs {short(seen.version)}, and {short(seen.release)} is declared", seen.up
        )
    return None


def _said(answer: Answer) -> str:
    return f"status {answer.status}" if answer.status is not None else str(answer)


def _finding(seen: WorkerSnapshot, what: str, next: str) -> Finding:
    return Finding(about=seen.name, level=seen.level, what=f"{what}.", next=next)


def _deploy(seen: WorkerSnapshot, version: str) -> str:
    """All traffic to a version. `versions deploy` refuses one whose secrets are others; `rollback` asks, and -y says
    yes.
    """
    return f"{seen.wrangler} rollback {version} --name {seen.script} -y"


def _again(seen: WorkerSnapshot) -> str:
    """An upload of the engine's puts back every binding; one that finds nothing changed uploads nothing."""
    if isinstance(seen.facts, WorkerFacts) and seen.declared is not None:
        own = [each for each in seen.facts.versions if _as_the_engine_made(seen, each)]
        if own and (seen.facts.active is None or own[0].id != seen.facts.active.id):
            return _deploy(seen, own[0].id)
    return seen.up


def _logs(seen: WorkerSnapshot) -> str:
    return f"{seen.wrangler} tail {seen.script}"


def _as_the_engine_made(seen: WorkerSnapshot, version: Version) -> bool:
    if seen.declared is None or not seen.declared.modified or version.trigger == SECRET_CHANGE:
        return False
    return not _after(version.created, seen.declared.modified) and not _after(seen.declared.modified, version.created)


def _after(one: str, other: str) -> bool:
    try:
        return datetime.fromisoformat(one) - datetime.fromisoformat(other) > TOLERANCE
    except (ValueError, TypeError):
        return False


def _by(author: str, when: str) -> str:
    who = f" by {author}" if author else ""
    return f"{who} at {when[:16]}" if when else who


def _shown(text: object) -> str:
    value = str(text)
    return short(value) if len(value) > 60 else value

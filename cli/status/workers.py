"""Diagnose one Worker: find the first cause that explains the observations, without its consequences."""

from __future__ import annotations

from collections.abc import Iterator

from cli.status.clouds import SECRET_CHANGE, Version, WorkerFacts
from cli.status.declared import DeclaredWorker
from cli.status.model import Finding
from cli.status.probe import Answer
from cli.status.worker_snapshot import WorkerSnapshot, changed_secret, is_after, is_the_engines_upload
from stack_outputs import LOGIN_MARK, short_digest


def diagnose_worker(snapshot: WorkerSnapshot, backend_is_down: bool) -> Finding | None:
    """Return the Worker's finding, or None if it has no problem of its own."""
    return changed_outside_pulumi(snapshot) or _diagnose_responses(snapshot, backend_is_down)


def changed_outside_pulumi(snapshot: WorkerSnapshot) -> Finding | None:
    """Return the first difference from the declared Worker, serving or not. None without facts from Cloudflare."""
    return _changed_outside_pulumi(snapshot) if isinstance(snapshot.facts, WorkerFacts) else None


def _changed_outside_pulumi(snapshot: WorkerSnapshot) -> Finding | None:
    assert isinstance(snapshot.facts, WorkerFacts)
    if snapshot.facts.gone:
        return _finding(snapshot, f"The Worker {snapshot.script} was deleted outside Pulumi", snapshot.up)
    if snapshot.facts.enabled is not None and snapshot.facts.enabled is not snapshot.workers_dev:
        turned = "on" if snapshot.facts.enabled else "off"
        return _finding(
            snapshot, f"The workers.dev address of {snapshot.script} was switched {turned}{snapshot.but}", snapshot.up
        )
    if (
        snapshot.hostname
        and snapshot.domains is not None
        and snapshot.domains.get(snapshot.hostname) != snapshot.script
    ):
        other = snapshot.domains.get(snapshot.hostname)
        leads = f"leads to {other}" if other else "leads to no Worker"
        return _finding(snapshot, f"{snapshot.hostname} {leads}, not to {snapshot.script}{snapshot.but}", snapshot.up)
    if snapshot.adopted:
        return _split_traffic(snapshot, snapshot.facts) or _since_adoption(snapshot, snapshot.facts)
    found = (
        _split_traffic(snapshot, snapshot.facts)
        or _rolled_back(snapshot, snapshot.facts)
        or _changed_secret_finding(snapshot, snapshot.facts)
    )
    return found or _bindings(snapshot, snapshot.facts) or _other_upload(snapshot, snapshot.facts)


def _split_traffic(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    shares = facts.deployments[0].shares if facts.deployments else {}
    if len(shares) < 2:
        return None
    newest = max(shares, key=lambda id: next((each.number for each in facts.versions if each.id == id), 0))
    parts = " and ".join(f"{share:g} % to {short_digest(id)}" for id, share in shares.items())
    return _finding(
        snapshot, f"The traffic of {snapshot.script} is shared, {parts}{snapshot.but}", _deploy(snapshot, newest)
    )


def _since_adoption(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    """Compare an adopted Worker by its version, because a Worker made by hand reports no release."""
    if facts.active is None or facts.active.id == snapshot.adopted or LOGIN_MARK in facts.bindings:
        return None
    by = _by(facts.active.author, facts.active.created)
    what = f"{snapshot.script} runs version {facts.active.number}{by}, not the one that was adopted{snapshot.but}"
    return _finding(snapshot, what, _deploy(snapshot, snapshot.adopted))


def _rolled_back(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    previous, active = facts.passed_over, facts.active
    if previous is None or active is None or _is_the_engines(snapshot, facts, active):
        return None
    by = _by(facts.deployments[0].author, facts.deployments[0].created)
    what = f"{snapshot.script} was rolled back{by} to version {active.number}, from {previous.number}{snapshot.but}"
    return _finding(snapshot, what, _deploy(snapshot, previous.id))


def _is_the_engines(snapshot: WorkerSnapshot, facts: WorkerFacts, active: Version) -> bool:
    """Return whether the active version is the engine's last upload.

    A refresh stores the time of a manual upload, which then looks like the engine's. But only an upload of the engine
    reports the release in the receipt.
    """
    if is_the_engines_upload(snapshot, active):
        return True
    if snapshot.declared is not None and any(_differences(snapshot.declared, facts)):
        return False
    return snapshot.release is not None and snapshot.bound("RELEASE") == snapshot.release != facts.lost_release


def _changed_secret_finding(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    changed = changed_secret(facts)
    if changed is None:
        return None
    upload = list(facts.secrets)[-1]
    what = f"{_secret_name(facts, upload)} of {snapshot.script} was changed outside Pulumi"
    what += f"{_by(changed.author, changed.created)}{snapshot.but}"
    return _finding(snapshot, what, _deploy(snapshot, upload))


def _secret_name(facts: WorkerFacts, upload: str) -> str:
    """Return the changed secret if its name shows the change. Cloudflare does not return values."""
    assert facts.active is not None
    names = (facts.secrets[facts.active.id] ^ facts.secrets[upload]) - {LOGIN_MARK}
    return f"The secret {', '.join(sorted(names))}" if names else "A secret"


def _bindings(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    if snapshot.declared is None or facts.active is None:
        return None
    differences = list(_differences(snapshot.declared, facts))
    if not differences:
        return None
    return _finding(
        snapshot,
        f"{snapshot.script} is not bound as declared: {', '.join(differences)}{snapshot.but}",
        _restore_bindings(snapshot),
    )


def _differences(declared: DeclaredWorker, facts: WorkerFacts) -> Iterator[str]:
    """Yield differences in names and types, and in the text of plain bindings. Secrets' texts are not compared."""
    bindings = declared.bindings
    for name in sorted(set(bindings) | set(facts.bindings)):
        expected, actual = bindings.get(name), facts.bindings.get(name)
        if name == LOGIN_MARK:
            continue
        if expected is None:
            yield f"{name} was added"
        elif actual is None:
            yield f"{name} is missing"
        elif expected.type != actual["type"]:
            yield f"{name} is {actual['type']}, not {expected.type}"
        elif expected.type == "plain_text" and actual.get("text") != expected.text:
            yield f"{name} is {_shown(actual.get('text'))}, not {_shown(expected.text)}"


def _other_upload(snapshot: WorkerSnapshot, facts: WorkerFacts) -> Finding | None:
    """Find different code, or an upload that is not the engine's."""
    if snapshot.declared is None or facts.active is None:
        return None
    other = bool(snapshot.declared.etag and facts.etag and snapshot.declared.etag != facts.etag)
    later = facts.active.trigger != SECRET_CHANGE and is_after(facts.active.created, snapshot.declared.modified)
    if not other and not later:
        return None
    how = "other code" if other else "the same code"
    by = _by(facts.active.author, facts.active.created)
    what = f"{snapshot.script} was uploaded outside Pulumi with {how}{by}{snapshot.but}"
    return _finding(snapshot, what, _restore_bindings(snapshot))


def _diagnose_responses(snapshot: WorkerSnapshot, backend_is_down: bool) -> Finding | None:
    """Return a finding about the Worker's responses, if no other cause explains them."""
    if not snapshot.answers and backend_is_down and snapshot.knows_backend:
        return None
    if not snapshot.answers:
        where = f"{snapshot.address}{snapshot.health.path}"
        return _finding(
            snapshot,
            f"{snapshot.script} does not serve: {_status_text(snapshot.health_answer)} at {where}",
            _logs(snapshot),
        )
    if snapshot.release and not snapshot.adopted and snapshot.version and snapshot.version != snapshot.release:
        return _finding(
            snapshot,
            f"{snapshot.script} runs {short_digest(snapshot.version)}, "
            f"and {short_digest(snapshot.release)} is declared",
            snapshot.up,
        )
    return None


def _status_text(answer: Answer) -> str:
    return f"status {answer.status}" if answer.status is not None else str(answer)


def _finding(snapshot: WorkerSnapshot, what: str, next: str) -> Finding:
    return Finding(about=snapshot.name, level=snapshot.level, what=f"{what}.", next=next)


def _deploy(snapshot: WorkerSnapshot, version: str) -> str:
    """Return the command that gives a version all traffic.

    `versions deploy` refuses a version with other secrets. `rollback` asks for confirmation, which -y gives.
    """
    return f"{snapshot.wrangler} rollback {version} --name {snapshot.script} -y"


def _restore_bindings(snapshot: WorkerSnapshot) -> str:
    """Return the command that restores the bindings.

    An upload of the engine restores every binding, but an update without changes uploads nothing. So the engine's last
    upload is deployed again if it is not active.
    """
    if isinstance(snapshot.facts, WorkerFacts) and snapshot.declared is not None:
        own = [each for each in snapshot.facts.versions if is_the_engines_upload(snapshot, each)]
        if own and (snapshot.facts.active is None or own[0].id != snapshot.facts.active.id):
            return _deploy(snapshot, own[0].id)
    return snapshot.up


def _logs(snapshot: WorkerSnapshot) -> str:
    return f"{snapshot.wrangler} tail {snapshot.script}"


def _by(author: str, when: str) -> str:
    who = f" by {author}" if author else ""
    return f"{who} at {when[:16]}" if when else who


def _shown(text: object) -> str:
    value = str(text)
    return short_digest(value) if len(value) > 60 else value

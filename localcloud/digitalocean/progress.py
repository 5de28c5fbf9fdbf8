"""A deployment's progress: a tree of steps, and counts of its leaves by status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

PENDING, RUNNING, SUCCESS, ERROR = "PENDING", "RUNNING", "SUCCESS", "ERROR"


def now() -> str:
    """Return the current time as the API writes it: RFC 3339 in UTC with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Step:
    """One step; a step with steps inside takes its status from them."""

    name: str
    status: str = PENDING
    steps: list[Step] = field(default_factory=list)
    started_at: str = ""
    ended_at: str = ""
    component: str = ""
    message: str = ""
    reason: dict[str, str] = field(default_factory=dict)

    def leaves(self) -> Iterator[Step]:
        """Yield the steps that have no steps inside."""
        if not self.steps:
            yield self
        for step in self.steps:
            yield from step.leaves()

    def settle(self) -> None:
        """Derive the status and times of a step from the steps inside."""
        for step in self.steps:
            step.settle()
        if self.steps:
            statuses = {step.status for step in self.steps}
            self.status = _combined(statuses)
            self.started_at = next((step.started_at for step in self.steps if step.started_at), "")
            self.ended_at = self.steps[-1].ended_at if self.status in (SUCCESS, ERROR) else ""

    def show(self) -> dict[str, Any]:
        """Return the API's form, without empty values."""
        shown: dict[str, Any] = {"name": self.name, "status": self.status}
        if self.steps:
            shown["steps"] = [step.show() for step in self.steps]
        optional = {
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "reason": self.reason,
            "component_name": self.component,
            "message_base": self.message,
        }
        return shown | {name: value for name, value in optional.items() if value}

    @classmethod
    def read(cls, shown: dict[str, Any]) -> Step:
        """Parse the form that `show` returns."""
        return cls(
            name=shown["name"],
            status=shown["status"],
            steps=[cls.read(step) for step in shown.get("steps", [])],
            started_at=shown.get("started_at", ""),
            ended_at=shown.get("ended_at", ""),
            component=shown.get("component_name", ""),
            message=shown.get("message_base", ""),
            reason=shown.get("reason", {}),
        )


def _combined(statuses: set[str]) -> str:
    if ERROR in statuses:
        return ERROR
    if statuses == {SUCCESS}:
        return SUCCESS
    return PENDING if statuses == {PENDING} else RUNNING


class Progress:
    """Build (get ready, build each component) and deploy (get ready, start and await each component, finish)."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    @classmethod
    def fresh(cls, component: str) -> Progress:
        """Create the progress with all steps pending."""
        built = Step(component, component=component, message="Building service")
        waits = [Step("deploy", component=component), Step("wait", component=component)]
        deployed = Step(component, steps=waits, component=component, message="Deploying service")
        return cls(
            [
                Step("build", steps=[Step("initialize"), Step("components", steps=[built])]),
                Step("deploy", steps=[Step("initialize"), Step("components", steps=[deployed]), Step("finalize")]),
            ]
        )

    def leaf(self, *path: str) -> Step:
        """Return the step at this path of names."""
        steps = self.steps
        for name in path:
            step = next(step for step in steps if step.name == name)
            steps = step.steps
        return step

    def leaves(self) -> list[Step]:
        """Return all leaves in order."""
        return [leaf for step in self.steps for leaf in step.leaves()]

    def begin(self, step: Step) -> None:
        """Mark a step as running."""
        step.status, step.started_at = RUNNING, now()
        self._settle()

    def succeed(self, step: Step) -> None:
        """Mark a step as done."""
        step.status, step.ended_at = SUCCESS, now()
        step.started_at = step.started_at or step.ended_at
        self._settle()

    def fail(self, code: str, message: str) -> None:
        """Mark the running (or next) step, and with it the deployment, as failed."""
        leaf = next(leaf for leaf in self.leaves() if leaf.status != SUCCESS)
        leaf.status, leaf.ended_at = ERROR, now()
        leaf.started_at = leaf.started_at or leaf.ended_at
        leaf.reason = {"code": code, "message": message}
        self._settle()

    def _settle(self) -> None:
        for step in self.steps:
            step.settle()

    def show(self) -> dict[str, Any]:
        """Return the tree, and counts of leaves by status, without zeroes, as in the API."""
        statuses = [leaf.status for leaf in self.leaves()]
        counts = {f"{status.lower()}_steps": statuses.count(status) for status in (PENDING, RUNNING, SUCCESS, ERROR)}
        shown: dict[str, Any] = {name: count for name, count in counts.items() if count}
        return shown | {"total_steps": len(statuses), "steps": [step.show() for step in self.steps]}

    @classmethod
    def read(cls, shown: dict[str, Any]) -> Progress:
        """Parse the form that `show` returns."""
        return cls([Step.read(step) for step in shown["steps"]])

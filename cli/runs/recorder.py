"""Run the engine for a run, and record its text and its events as they come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cli.builds.builds import Build, builds, run_builds
from cli.engine import compatibility
from cli.engine.events import Follower, Recorder, read_steps
from cli.engine.pulumi import Engine, Finished
from cli.runs import timeline
from cli.runs.store import Run
from stack_outputs import RUN_VARIABLE

UP = ("up", "--yes", "--skip-preview", "--suppress-permalink=true", "--suppress-outputs")
MARK = re.compile(r"<\{%.*?%\}>")  # the engine's colour marks in its events
DOWN = ("destroy", "--yes", "--skip-preview", "--suppress-permalink=true", "--suppress-outputs")
SHOWN_SEVERITIES = frozenset({"info", "info#err", "warning", "error"})
TIMELINE_WIDTH = 110


class RunRecorder:
    """Records the work of an engine in a run."""

    def __init__(self, engine: Engine, run: Run, echo: Callable[[str], None] | None = None) -> None:
        self.engine = engine
        self.run = run
        self.events = Recorder(run.folder / "events.jsonl", run.clock)
        self._echo = echo

    def say(self, text: str) -> None:
        """Write text to the run's output; a terminal that follows from the same process shows it too."""
        self.run.say(text)
        if self._echo:
            self._echo(text)

    @contextmanager
    def step(self, name: str, kind: str) -> Iterator[None]:
        """Record a step of the run that is no resource of the engine."""
        metadata = {"urn": name, "type": kind, "op": kind}
        self.events.write("begin", **metadata)
        try:
            yield
        except BaseException:
            self.events.write("fail", **metadata)
            raise
        self.events.write("end", **metadata)

    def build(self, services: Sequence[str] = (), *, images: bool = True) -> None:
        """Build the services in parallel, with their output in the run's. Raises CommandError.

        Without `images` no image is built and pushed: a preview does not need its bytes.
        """

        @contextmanager
        def watched(build: Build) -> Iterator[Callable[[str], None]]:
            def record_line(line: str) -> None:
                self.events.write("note", text=f"{build.service} | {line}")
                self.say(f"{build.service} | {line}")

            with self.step(f"build {build.service}", "build"):
                yield record_line

        for service in run_builds(builds(self.engine.stack, list(services), images=images), watched):
            for line in service.report(self.engine.stack.name):
                self.say(line)

    def update(self, *options: str) -> Finished:
        """Run `pulumi up`, and record the dependencies between resources at its end. The status shows a failure."""
        for warning in compatibility.warnings(self.engine.stack):
            self.say(warning)
        done = self._run("output.log", self._record, *UP, *options)
        if done.status == 0:
            path = self.run.folder / "events.jsonl"
            if any(step.op not in ("build", "preview", "refresh") for step in read_steps(path)):
                self.events.needs(self.engine.export())
                self.say(timeline.section(read_steps(path), TIMELINE_WIDTH))
        return done

    def destroy(self) -> Finished:
        """Run `pulumi destroy` from the state alone. The status shows a failure."""
        return self._run("output.log", self._record, *DOWN)

    def preview(self, *options: str) -> list[dict[str, Any]]:
        """Run `pulumi preview`; return the engine's own events, with secrets masked.

        The text goes to a file of its own. Raises CommandError, which ends in the run's command.
        """
        events: list[dict[str, Any]] = []
        with self.step("preview", "preview"):
            words = ("preview", "--suppress-permalink=true", "--suppress-outputs", *options)
            done = self._run("preview.log", events.append, *words)
            if done.status != 0:
                self.say(done.output)
                raise self.engine.failure(done, self.run.info.command, then="Nothing was changed.")
        for event in events:
            if (diagnostic := event.get("diagnosticEvent") or {}).get("severity") == "warning":
                self.say(f"Attention: {_message(diagnostic)}")
        return events

    def _run(self, output: str, on_event: Callable[[dict[str, Any]], None], *arguments: str) -> Finished:
        log, raw = self.run.folder / output, self.run.folder / "engine.jsonl"
        log.touch(mode=0o600)
        try:
            with Follower(raw, on_event):
                self.engine.environment[RUN_VARIABLE] = self.run.info.id
                return self.engine.recorded(log, raw, *arguments, "--stack", self.engine.stack.name)
        finally:
            raw.unlink(missing_ok=True)

    def _record(self, event: dict[str, Any]) -> None:
        self.events.engine(event)
        diagnostic = event.get("diagnosticEvent")
        if diagnostic and diagnostic.get("severity") in SHOWN_SEVERITIES and not diagnostic.get("ephemeral"):
            self.events.write("note", text=_message(diagnostic))


def _message(diagnostic: Mapping[str, Any]) -> str:
    return MARK.sub("", str(diagnostic["message"])).rstrip("\n")

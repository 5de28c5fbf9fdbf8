"""The engine at work in a run: its text and its events go where the run's are, as they come."""

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
from cli.ui.errors import CommandError

UP = ("up", "--yes", "--skip-preview", "--suppress-permalink=true", "--suppress-outputs")
MARK = re.compile(r"<\{%.*?%\}>")  # the engine's colours in its events
DOWN = ("destroy", "--yes", "--skip-preview", "--suppress-permalink=true", "--suppress-outputs")
TOLD = frozenset({"info", "info#err", "warning", "error"})
TIMELINE_WIDTH = 110


class RunRecorder:
    """Writes down what an engine does in a run."""

    def __init__(self, engine: Engine, run: Run, echo: Callable[[str], None] | None = None) -> None:
        self.engine = engine
        self.run = run
        self.events = Recorder(run.folder / "events.jsonl", run.clock)
        self._echo = echo

    def say(self, text: str) -> None:
        """A line of the run's output, which a terminal that is still there shows too."""
        self.run.say(text)
        if self._echo:
            self._echo(text)

    @contextmanager
    def step(self, name: str, kind: str) -> Iterator[None]:
        """A part of the run that is none of the engine's resources."""
        what = {"urn": name, "type": kind, "op": kind}
        self.events.write("begin", **what)
        try:
            yield
        except BaseException:
            self.events.write("fail", **what)
            raise
        self.events.write("end", **what)

    def build(self, services: Sequence[str] = (), *, images: bool = True) -> None:
        """The services' own builds, all at once, their output among the run's. Raises CommandError.

        Without `images` nothing is pushed: a preview does not need the bytes of an image.
        """

        @contextmanager
        def watched(build: Build) -> Iterator[Callable[[str], None]]:
            def heard(line: str) -> None:
                self.events.write("note", text=f"{build.service} | {line}")
                self.say(f"{build.service} | {line}")

            with self.step(f"build {build.service}", "build"):
                yield heard

        for done in run_builds(builds(self.engine.stack, list(services), images=images), watched):
            for line in done.lines:
                self.say(line)

    def update(self, *options: str) -> Finished:
        """`pulumi up`; what waits for what is written down at its end. A failure is told by the status."""
        for warning in compatibility.warnings(self.engine.stack):
            self.say(warning)
        done = self._run("output.log", self._heard, *UP, *options)
        if done.status == 0:
            path = self.run.folder / "events.jsonl"
            if any(step.op not in ("build", "preview", "refresh") for step in read_steps(path)):
                self.events.needs(self.engine.export())
                self.say(timeline.section(read_steps(path), TIMELINE_WIDTH))
        return done

    def destroy(self) -> Finished:
        """`pulumi destroy`, by the state alone. A failure is told by the status."""
        return self._run("output.log", self._heard, *DOWN)

    def preview(self, *options: str, again: str = "oracle deploy") -> list[dict[str, Any]]:
        """`pulumi preview`: the engine's own events, secrets masked; its text has a file of its own. Raises
        CommandError, which ends in the command to type `again`.
        """
        heard: list[dict[str, Any]] = []
        with self.step("preview", "preview"):
            words = ("preview", "--suppress-permalink=true", "--suppress-outputs", *options)
            done = self._run("preview.log", heard.append, *words)
            if done.status != 0:
                self.say(done.output)
                raise CommandError(self.engine.failure(done, f"Nothing was changed. Mend it, then: {again}"))
        for event in heard:
            if (said := event.get("diagnosticEvent") or {}).get("severity") == "warning":
                self.say(f"Attention: {_message(said)}")
        return heard

    def _run(self, output: str, heard: Callable[[dict[str, Any]], None], *arguments: str) -> Finished:
        log, raw = self.run.folder / output, self.run.folder / "engine.jsonl"
        log.touch(mode=0o600)
        try:
            with Follower(raw, heard):
                return self.engine.recorded(log, raw, *arguments, "--stack", self.engine.stack.name)
        finally:
            raw.unlink(missing_ok=True)

    def _heard(self, event: dict[str, Any]) -> None:
        self.events.engine(event)
        said = event.get("diagnosticEvent")
        if said and said.get("severity") in TOLD and not said.get("ephemeral"):
            self.events.write("note", text=_message(said))


def _message(said: Mapping[str, Any]) -> str:
    return MARK.sub("", str(said["message"])).rstrip("\n")

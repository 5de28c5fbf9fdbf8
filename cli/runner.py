"""Perform a run in a process of its own: `python -m cli.runner FOLDER`.

No terminal is needed: everything is printed to the run's output file, and a terminal only follows that file. SIGINT or
SIGTERM asks the engine to stop after its current steps. A second signal has no effect: only a kill would be quicker.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

import advice
from cli.adopt import adoption_run
from cli.deploy import config_change, deploy
from cli.drift import repair
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.releases import pin
from cli.runs.recorder import RunRecorder
from cli.runs.store import Run
from errors import Fix, UserError
from tracebacks import last_line

TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "adopt": adoption_run.run_adoption,
    "change": config_change.run_config_change,
    "deploy": deploy.run_deploy,
    "pin": pin.run_pin,
    "repair": repair.run_repair,
    "up": config_change.bring_up,
}
"""The functions that perform a run's task, by the task's name; each returns the run's result."""


def main(folder: Path) -> int:
    """Perform the run's task and record how it ended; return the exit status."""
    run = Run(folder)
    run.take_over()
    engine = Engine(Stack(run.info.stack))
    signals = _stop_on_signal(engine)
    task = run.task
    recording = RunRecorder(engine, run)
    try:
        result = TASKS[task.pop("do")](recording, **task)
    except KeyboardInterrupt:
        run.end("It was interrupted before the engine started, so nothing was changed.")
    except UserError as error:
        sentence = advice.text(error, run.info.stack, run.info.command)
        run.end(f"Interrupted. {sentence}" if signals else sentence, **config_change.outcome(error))
    except BaseException as error:
        output = Fix(f"oracle logs {run.info.id}", "to read its output")
        run.end(advice.with_fixes(f"The run met an unexpected error: {last_line(error)}.", [output]))
        raise
    else:
        run.end(**result)
        return 0
    return 1


def _stop_on_signal(engine: Engine) -> list[int]:
    """Stop the run at a signal; return the list of signals received so far."""
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        first = not received
        received.append(number)
        if first and not engine.interrupt():
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.terminate()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return received


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

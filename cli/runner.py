"""A run in a session of its own: `python -m cli.runner FOLDER`.

No terminal is needed: what is printed goes to the run's output, which a terminal only follows. A SIGINT or SIGTERM
asks the engine to end after the steps it is at; a second one changes nothing, since only a kill could be quicker.
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

from cli.adopt import adoption_run
from cli.deploy import config_change, deploy
from cli.drift import repair
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.releases import pin
from cli.runs.recorder import RunRecorder
from cli.runs.store import Run
from cli.ui.errors import CommandError
from tracebacks import last_line

TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "adopt": adoption_run.run_adoption,
    "change": config_change.run_config_change,
    "deploy": deploy.run_deploy,
    "pin": pin.run_pin,
    "repair": repair.run_repair,
    "up": config_change.bring_up,
}
"""What a run may be asked to do; each returns the run's result."""


def main(folder: Path) -> int:
    """Carries out the run's task and writes down how it ended."""
    run = Run(folder)
    run.take_over()
    engine = Engine(Stack(run.info.stack))
    stopping = _stop_when_asked(engine)
    task = run.task
    recording = RunRecorder(engine, run)
    try:
        result = TASKS[task.pop("do")](recording, **task)
    except KeyboardInterrupt:
        run.end("It was interrupted before the engine had begun; nothing was changed.")
    except CommandError as failure:
        run.end(f"Interrupted. {failure}" if stopping else str(failure), **config_change.outcome(failure))
    except BaseException as error:
        run.end(f"The run broke ({last_line(error)}); its output: oracle logs {run.info.id}")
        raise
    else:
        run.end(**result)
        return 0
    return 1


def _stop_when_asked(engine: Engine) -> list[int]:
    """The signals that have come so far."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        first = not came
        came.append(number)
        if first and not engine.interrupt():
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.terminate()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return came


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

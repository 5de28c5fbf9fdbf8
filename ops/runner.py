"""A run in a session of its own: `python -m ops.runner FOLDER`.

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

from ops import adopt, change, deploy, pinning, repair
from ops.engine import Engine
from ops.failures import Failure
from ops.recording import Recording
from ops.runs import Run
from ops.workspace import Stack
from tracebacks import last_line

TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "adopt": adopt.carry_out,
    "change": change.carry_out,
    "deploy": deploy.carry_out,
    "pin": pinning.carry_out,
    "repair": repair.carry_out,
    "up": change.bring_up,
}
"""What a run may be asked to do; each returns the run's result."""


def main(folder: Path) -> int:
    """Carries out the run's task and writes down how it ended."""
    run = Run(folder)
    run.take_over()
    engine = Engine(Stack(run.info.stack))
    stopping = _stop_when_asked(engine)
    task = run.task
    recording = Recording(engine, run)
    try:
        result = TASKS[task.pop("do")](recording, **task)
    except KeyboardInterrupt:
        run.end("It was interrupted before the engine had begun; nothing was changed.")
    except Failure as failure:
        run.end(f"Interrupted. {failure}" if stopping else str(failure), **change.outcome(failure))
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

"""The progress that a waiting user sees."""

from __future__ import annotations

import io
import threading

import pytest

from toolchain import progress


class Screen(io.StringIO):
    """A stream that says whether it is a terminal, and when something new was written to it."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal
        self.written = threading.Semaphore(0)

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        self.written.release()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_step_shows_its_start_progress_and_end(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TERMINAL_EVERY", 0.01)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.01)
    screen = Screen(terminal)
    with progress.Step("the work", screen) as step:
        step.detail = "half"
        for _ in range(3):
            assert screen.written.acquire(timeout=10)
    text = screen.getvalue()
    assert "  the work …" in text
    assert "  the work: half, 0 s" in text
    assert text.endswith("  the work: done after 0 s\n")
    assert ("\r" in text) is terminal


def test_a_failed_step_does_not_say_done() -> None:
    screen = Screen(terminal=False)
    with pytest.raises(ValueError, match="no"), progress.Step("the work", screen):
        raise ValueError("no")
    assert "stopped after" in screen.getvalue()
    assert "done" not in screen.getvalue()


@pytest.mark.parametrize("seconds,text", [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (367, "6 min 07 s")])
def test_durations_are_easy_to_read(seconds: float, text: str) -> None:
    assert progress.spent(seconds) == text

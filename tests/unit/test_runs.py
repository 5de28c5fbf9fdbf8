"""Records of runs: started, found, ended, killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import advice
from cli.engine.events import Recorder
from cli.runs import store as module
from cli.runs.store import Run, Runs, steps
from cli.runs.supervise import failed_run, follow
from cli.ui.errors import CommandError
from errors import STACK, First, Fix, Remedy, UserError
from tests.support.errors import refused
from tests.support.owners import owner


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


def test_a_run_is_recorded_while_it_runs(runs: Runs) -> None:
    with runs.start("deploy", owner("local"), ["deploy", "web"]) as run:
        assert run.info.running
        assert (run.info.kind, run.info.stack, run.info.arguments) == ("deploy", "local", ("deploy", "web"))
        assert (run.info.pid, run.info.ended, run.info.seconds) == (os.getpid(), None, None)
        run.say("first line")
    info = run.info
    assert (info.status, info.error, info.output.read_text()) == ("ok", "", "first line\n")
    assert info.ended is not None
    assert info.ended >= info.began
    assert info.seconds is not None
    assert 0 <= info.seconds < 60
    assert {oct(path.stat().st_mode & 0o777) for path in run.folder.iterdir()} == {"0o600"}
    assert run.folder.stat().st_mode & 0o077 == 0
    assert runs.folder.stat().st_mode & 0o077 == 0


def test_a_failed_run_records_its_error(runs: Runs) -> None:
    def broken() -> None:
        with runs.start("wipe", owner("local")):
            raise CommandError("The disk is full; make room: df -h")

    with pytest.raises(CommandError):
        broken()
    (info,) = runs.list()
    assert (info.status, info.error) == ("failed", "The disk is full; make room: df -h")
    assert str(failed_run(info)) == info.error


def test_an_interrupted_run_is_recorded_as_interrupted(runs: Runs) -> None:
    with pytest.raises(KeyboardInterrupt), runs.start("wipe", owner("local")):
        raise KeyboardInterrupt
    assert runs.list()[0].error == "interrupted"


def test_a_run_continued_by_another_process_is_not_ended_here(runs: Runs) -> None:
    with runs.start("deploy", owner("local")) as run, subprocess.Popen(["sleep", "60"]) as other:
        run.write(pid=other.pid, pid_since=psutil.Process(other.pid).create_time())
        run.__exit__(None, None, None)
        assert run.info.running
        other.kill()
        other.wait()
        assert run.info.status == "killed"
    killed = failed_run(run.info)
    assert killed is not None
    assert advice.text(killed, "prod", "") == (
        f"The run {run.info.id} was killed. Fix: run `oracle recover local` to clean up after it; or run `oracle logs "
        f"{run.info.id}` to read its output."
    )


@pytest.mark.parametrize(
    "arguments, command",
    [
        (["deploy", "api"], "oracle deploy api --stack prod"),
        (["wipe", "prod"], "oracle wipe prod"),
        (["wipe", "--stack=prod", "--yes"], "oracle wipe --stack=prod --yes"),
        (["deploy", "-s", "prod"], "oracle deploy -s prod"),
        (["wipe", "-sprod"], "oracle wipe -sprod"),
    ],
)
def test_the_command_of_a_run_names_its_stack(runs: Runs, arguments: list[str], command: str) -> None:
    with runs.start("x", owner("prod"), arguments) as run:
        assert run.info.command == command


def test_the_error_of_a_run_is_its_whole_text(runs: Runs) -> None:
    with pytest.raises(UserError), runs.start("deploy", owner("prod"), ["deploy", "api"]) as run:
        raise UserError("The disk is full.", First("make room", Remedy.RETRY), Fix(f"oracle status {STACK}"))
    assert run.info.error == (
        "The disk is full. Fix: make room, then run `oracle deploy api --stack prod`; or run `oracle status prod`."
    )


def test_a_reused_process_id_does_not_count_as_the_run(runs: Runs) -> None:
    run = runs.start("deploy", owner("local"))
    run.write(pid_since=psutil.Process().create_time() - 100)
    assert runs.list()[0].status == "killed"


def test_only_one_run_per_stack_is_allowed(runs: Runs) -> None:
    with runs.start("deploy", owner("local")) as run:
        with refused(
            rf"Another run of local is in progress: deploy of .*\. Fix: run `oracle logs {run.info.id} -f` to follow "
            r"it, then run `oracle again`\.$"
        ):
            runs.start("wipe", owner("local"))
        assert runs.start("deploy", owner("prod")).info.running
    assert runs.start("wipe", owner("local")).info.running


def test_runs_are_listed_newest_first_and_found_by_part_of_their_name(runs: Runs) -> None:
    for number in range(3):
        runs.start(f"kind{number}", owner(f"stack{number}")).end()
    first = runs.list()[-1]
    for number, name in enumerate(("20250101-000000-deploy", "20260101-000000-deploy")):
        folder = first.folder.with_name(name)
        first.folder.rename(folder) if number == 0 else folder.mkdir()
        (folder / "run.json").write_text(
            json.dumps({**json.loads((runs.list()[0].folder / "run.json").read_text()), "id": name})
        )
    assert [run.id for run in runs.list()][-2:] == ["20260101-000000-deploy", "20250101-000000-deploy"]
    assert runs.find().id == runs.list()[0].id
    assert runs.find("2025").id == "20250101-000000-deploy"
    assert runs.find("kind2").kind == "kind2"
    assert runs.find("20260101-000000-deploy").id == "20260101-000000-deploy"
    with refused("begin or end with 000000-deploy: 20260101-000000-deploy, 20250101-000000-deploy.* `oracle runs`"):
        runs.find("000000-deploy")
    with refused(r"^There is no run nowhere\. Fix: run `oracle runs` to see the runs\.$"):
        runs.find("nowhere")


def test_runs_of_the_same_second_have_different_names(runs: Runs) -> None:
    names = {runs.start("deploy", owner(f"stack{number}")).info.id for number in range(5)}
    assert len(names) == 5


def test_without_runs_the_command_says_so(runs: Runs) -> None:
    assert runs.list() == []
    with refused(r"^There is no run yet\. Fix: run `oracle up local` to start the first\.$"):
        runs.find()


def test_stacks_with_similar_names_have_separate_runs(runs: Runs) -> None:
    """Only the stack's own old runs are deleted; all runs are listed."""
    for each in (owner("pr-1"), owner("pr-12"), replace(owner("pr-1"), organization="acme")):
        runs.start("deploy", each)
    with pytest.raises(CommandError, match="Another run of pr-1 is in progress"):
        runs.refuse_busy(owner("pr-1"))
    runs.refuse_busy(owner("pr"))
    assert [run.owner for run in runs.of(owner("pr-12"))] == ["organization/oracle-net/pr-12"]
    assert len({run.id for run in runs.list()}) == 3


def test_invalid_run_folders_are_ignored(runs: Runs) -> None:
    runs.start("deploy", owner("local")).end()
    for name, text in (("20990101-000000-cut", '{"id": "2099'), ("20990101-000000-empty", "{}")):
        folder = runs.list()[-1].folder.with_name(name)
        folder.mkdir()
        (folder / "run.json").write_text(text)
    assert [run.kind for run in runs.list()] == ["deploy"]


def test_old_runs_are_deleted_but_never_one_in_progress(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RUNS", 3)
    at_work = runs.start("at-work", owner("other"))
    at_work.folder.rename(at_work.folder.with_name("20000101-000000-at-work"))
    for number in range(6):
        runs.start(f"kind{number}", owner("local")).end()
    assert [run.kind for run in runs.list()] == ["kind5", "kind4", "kind3", "at-work"]


def test_a_discarded_run_is_deleted(runs: Runs) -> None:
    with runs.start("deploy", owner("local")) as run:
        run.discard()
    assert runs.list() == []


def test_the_output_of_a_run_is_followed_to_its_end(runs: Runs) -> None:
    """Another process writes it meanwhile; lines arrive whole, and lines without information are left out."""
    run = runs.start("deploy", owner("local"))
    script = (
        "import sys, time, pathlib; from cli.runs.store import Run;"
        "run = Run(pathlib.Path(sys.argv[1])); run.take_over();"
        "log = open(run.folder / 'output.log', 'a', buffering=1); log.write('begin'); log.flush(); time.sleep(0.3);"
        "log.write(' and'); log.flush(); time.sleep(0.3);"
        "log.write(' end\\n@ updating....\\nlast line without its end'); log.close(); run.end('no luck')"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(run.folder)], cwd=Path(__file__).parents[2]) as writer:
        run.write(pid=writer.pid, pid_since=psutil.Process(writer.pid).create_time())
        seen: list[str] = []
        info = follow(run.info, seen.append)
    assert seen == ["begin and end\n", "last line without its end\n"]
    assert (info.status, info.error) == ("failed", "no luck")
    everything: list[str] = []
    follow(info, everything.append, everything=True)
    assert everything[1] == "@ updating....\n"


def test_the_output_so_far_is_shown_without_waiting(runs: Runs) -> None:
    run = runs.start("deploy", owner("local"))
    run.say("so far")
    seen: list[str] = []
    assert follow(run.info, seen.append, wait=False).running
    assert seen == ["so far\n"]


def test_the_steps_of_a_run_are_read_from_its_events(runs: Runs) -> None:
    run = runs.start("deploy", owner("local"))
    events = Recorder(run.folder / "events.jsonl", time.time() - 5)
    events.write("begin", urn="build web", type="build", op="build")
    (step,) = steps(run.info)
    assert (step.name, step.op, step.ended) == ("build web", "build", None)
    assert 4.5 < step.began < 60


def test_an_unexpected_error_ends_the_run_and_names_its_log(tmp_path: Path) -> None:
    run = Runs(tmp_path / "runs").start("deploy", owner("prod"))
    run.write(task={"do": "nothing that is known"})
    done = subprocess.run(
        [sys.executable, "-m", "cli.runner", str(run.folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    info = Run(run.folder).info
    assert info.status == "failed"
    assert info.error == (
        f"The run met an unexpected error: KeyError: 'nothing that is known'. Fix: run `oracle logs {info.id}` to read "
        "its output."
    )

"""Bad input is refused in one sentence and changes nothing. Each test can run alone; the last ones stop the cloud."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from tests.live.project import Done, Project
from tests.support.waiting import until

pytestmark = pytest.mark.live

ANOTHER_SALT = "encryptionsalt: v1:oTAf+SZSX1c=:v1:1lZ9mNL0FxVNRgrG:Qq1PcLxnkBzBPxDDEpCfvJcTIEkHUw=="


@contextmanager
def edited(project: Project, name: str, old: str, new: str) -> Iterator[None]:
    before = (project.root / name).read_bytes()
    project.edit(name, old, new)
    try:
        yield
    finally:
        (project.root / name).write_bytes(before)


@contextmanager
def moved_away(project: Project, name: str) -> Iterator[None]:
    path = project.root / name
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


def config(project: Project, old: str, new: str) -> AbstractContextManager[None]:
    return edited(project, "Pulumi.local.yaml", old, new)


def held(project: Project) -> dict[str, str]:
    """What the state holds: each resource's id."""
    resources = json.loads(project.state_file.read_text())["checkpoint"]["latest"]["resources"]
    return {resource["urn"]: resource.get("id", "") for resource in resources}


def writes(project: Project) -> list[tuple[str, str, str]]:
    """What the local cloud was asked to change and did, oldest first, with its time."""
    listed = project.api("GET", "/_cloud/requests")["requests"]
    done = [each for each in listed if each["method"] not in ("GET", "HEAD") and each["status"] < 400]
    return [(str(each["time"]), each["method"], each["path"]) for each in done]


@contextmanager
def unchanged(project: Project, whole: bool = False) -> Iterator[None]:
    """Nothing changed in the clouds nor in the state; `whole`: its file is the same, byte for byte.

    An `up` always writes the file, with the time at which it looked.
    """
    before = writes(project), held(project), project.state_file.read_bytes()
    yield
    assert writes(project) == before[0]
    assert held(project) == before[1]
    if whole:
        assert project.state_file.read_bytes() == before[2]


def assert_fails_with(done: Done, sentence: str) -> None:
    """The command failed with the sentence on its last line, alone there."""
    line = done.failed().output.rstrip().splitlines()[-1]
    assert re.fullmatch(rf"oracle: {sentence}", line), done.output


def shown(done: Done, sentence: str) -> None:
    """Plain `pulumi` failed, and lists the sentence once among its diagnostics."""
    listed = done.failed().output.rpartition("Diagnostics:")[2]
    assert len(re.findall(rf"^ +(?:error: )?{sentence}$", listed, re.MULTILINE)) == 1, done.output


def plain_up(project: Project, **environment: str) -> Done:
    """Without the look at the clouds that comes before the program: quicker, where only the program matters."""
    return project.pulumi("up", "--yes", "--skip-preview", "--refresh=false", "--stack", "local", **environment)


MISSING = (
    r"oracle-net:adminEmail is missing; the backend would have no admin\. "
    r"Fix: run `pulumi config set oracle-net:adminEmail admin@example\.org --stack local`\."
)


def test_a_missing_configuration_key_is_refused(project: Project) -> None:
    """By `oracle up` and by `pulumi up`; all such sentences come from one place (tests/unit/test_settings.py)."""
    with unchanged(project), config(project, "  oracle-net:adminEmail: admin@oracle.localhost\n", ""):
        with unchanged(project, whole=True):
            assert_fails_with(project.oracle("up"), MISSING)
        shown(plain_up(project), MISSING)


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        (
            "compatibilityDate: ",
            "compatibilityDate: yesterday # ",
            (
                r"oracle-net:workers\.api\.compatibilityDate should be a date such as 2025-06-01; "
                r"the Worker api could not be deployed\. "
                r"Fix: run `pulumi config set --path oracle-net:workers\.api\.compatibilityDate 2025-06-01 "
                r"--stack local`\."
            ),
        ),
        (
            "    createTimeout: ",
            "    createTimeuot: ",
            (
                r"oracle-net:backend\.createTimeuot is not a key that this program knows \(did you mean "
                r"createTimeout\?\)\. "
                r"Fix: run `pulumi config rm --path oracle-net:backend\.createTimeuot --stack local`\."
            ),
        ),
        (
            "appName: jellyfish-app",
            "appName: jellyfish-app-with-too-long-a-name",
            (
                r"oracle-net:backend\.appName should be 2 to 22 characters, .*; the backend could not be deployed\. "
                r"Fix: run `pulumi config set --path oracle-net:backend\.appName jellyfish-app --stack local`\."
            ),
        ),
        (
            "  oracle-net:adminEmail: ",
            "  oracle-net:githubToken: planted-in-plain\n  oracle-net:adminEmail: ",
            (
                r"oracle-net:githubToken is stored in plain text, .*\. "
                r"Fix: run `pulumi config set --secret oracle-net:githubToken --stack local`\."
            ),
        ),
    ],
    ids=["malformed", "unknown", "too long", "plain secret"],
)
def test_a_bad_configuration_key_is_refused(project: Project, old: str, new: str, sentence: str) -> None:
    with unchanged(project, whole=True), config(project, old, new):
        done = project.oracle("up")
    assert_fails_with(done, sentence)
    assert "planted" not in done.output


def test_a_stack_file_that_is_not_yaml_is_refused(project: Project) -> None:
    with unchanged(project, whole=True), config(project, "config:", "config: ["):
        assert_fails_with(
            project.oracle("up"),
            r"Pulumi\.local\.yaml is not YAML: .*\. "
            r"Fix: correct Pulumi\.local\.yaml, then run `oracle up --stack local`\.",
        )


def test_the_cause_of_a_failed_update_is_the_last_line(project: Project) -> None:
    with unchanged(project), moved_away(project, "services/web/public"):
        assert_fails_with(
            project.oracle("up"),
            r"The update failed: The directory \S+public does not exist\. Fix: run `oracle build --stack local`\. "
            r"To go on, run `make up`\.",
        )


def test_a_failed_build_shows_the_end_of_its_log(project: Project) -> None:
    failing = '    build: "seq 100 199; echo no compiler >&2; exit 7"\n    createTimeout'
    for command in ("build", "up"):
        with unchanged(project, whole=True), config(project, "    createTimeout", failing):
            done = project.oracle(command).failed()
        sentence = (
            r"The build of backend failed \(status 7\)\. Fix: correct the error \(log: \S+build-backend\.log\), "
            r"then run "
            r"`oracle build backend --stack local`\."
        )
        assert re.fullmatch(sentence, done.output.rstrip().splitlines()[-1])
        assert "oracle: From the log of backend's build:\n" in done.output
        assert "198\n199\nno compiler\nThe build of" in done.output
        assert "\n170\n" not in done.output
    log = (project.root / ".oracle/logs/build-backend.log").read_text()
    assert log.startswith("100\n101\n")


def test_a_missing_checkout_and_an_unknown_service_are_refused(project: Project) -> None:
    with config(project, "      path: services/web", "      path: services/elsewhere\n      build: make"):
        assert_fails_with(
            project.oracle("build"),
            r"The checkout \S+elsewhere of web does not exist\. Fix: clone its repository there, then run `oracle "
            r"build "
            r"--stack local`\.",
        )
    assert_fails_with(
        project.oracle("build", "frontend"),
        r"There is no service frontend\. The services are backend, api, universe, web\. Fix: run `oracle build SERVICE "
        r"--stack local` with one of these names\.",
    )


@pytest.mark.parametrize(
    "command", [["env", "nowhere"], ["down", "nowhere"], ["cloud", "status", "--stack", "nowhere"]], ids=" ".join
)
def test_a_missing_stack_is_refused(project: Project, command: list[str]) -> None:
    assert_fails_with(
        project.oracle(*command),
        r"There is no stack nowhere: Pulumi\.nowhere\.yaml does not .* `oracle up nowhere` to .*",
    )


@pytest.mark.parametrize(
    "variable", ["DIGITALOCEAN_TOKEN", pytest.param("CLOUDFLARE_API_TOKEN", marks=pytest.mark.slow)]
)
def test_a_wrong_token_is_reported(project: Project, variable: str) -> None:
    wrong = "planted-wrong-token-of-the-right-length-and-form"
    sentence = r'The local cloud at \S+ refuses the token\. Fix: run `eval "\$\(oracle env STACK\)"`\.'
    with unchanged(project):
        done = project.pulumi("up", "--yes", "--skip-preview", "--stack", "local", **{variable: wrong})
    shown(done, sentence)
    assert wrong not in done.output


def test_a_wrong_token_in_the_shell_does_not_affect_oracle(project: Project) -> None:
    digest = r"sha256:[0-9a-f]{64}\n"
    project.environment["DIGITALOCEAN_TOKEN"] = "planted-wrong-token"
    try:
        assert re.fullmatch(digest, project.oracle("image", "push", "services/backend").well().output)
    finally:
        project.environment.clear()


def test_a_wrong_passphrase_is_reported_by_the_engine(project: Project) -> None:
    with unchanged(project, whole=True):
        done = project.pulumi("up", "--yes", "--stack", "local", PULUMI_CONFIG_PASSPHRASE="wrong").failed()
        assert done.output.rstrip() == (
            "error: getting stack configuration: get stack secrets manager: incorrect passphrase"
        )  # the engine's own words


@pytest.mark.slow
def test_a_salt_of_another_passphrase_is_reported(project: Project) -> None:
    salt = re.findall(r"encryptionsalt: .*", project.stack_file.read_text())[0]
    with unchanged(project, whole=True), config(project, salt, ANOTHER_SALT):
        assert_fails_with(
            project.oracle("up"),
            r"The update failed: The passphrase does not open the secrets of Pulumi\.local\.yaml\. Fix: run "
            r'`eval "\$\(oracle env local\)"` to load the stack\'s environment; or run `git diff Pulumi\.local\.yaml` '
            r"to see whether its encryptionsalt has changed\. To go on, run `make up`\.",
        )


@pytest.mark.slow
def test_a_taken_app_name_is_refused(project: Project) -> None:
    image = {"registry_type": "DOCKER_HUB", "registry": "somebody", "repository": "else", "tag": "1"}
    spec = {"name": "jellyfish-app-g2", "region": "sgp", "services": [{"name": "other", "image": image}]}
    other = project.api("POST", "/v2/apps", {"spec": spec})["app"]["id"]
    project.edit("Pulumi.local.yaml", 'oracle-net:generation: "1"', 'oracle-net:generation: "2"')
    ours = "organization/oracle-net/local"
    taken = (
        rf"The app jellyfish-app-g2 exists already and does not belong to {ours}: it has no owner\. "
        r"Fix: run `pulumi config set --path oracle-net:backend\.appName NAME --stack local`\."
    )
    with unchanged(project):
        shown(project.up(), taken)
        assert_fails_with(project.oracle("up"), rf"The update failed: {taken} To go on, run `make up`\.")
    project.api("DELETE", f"/v2/apps/{other}")
    # The wipe is given up: nothing of it ever got traffic.
    project.edit("Pulumi.local.yaml", 'oracle-net:generation: "2"', 'oracle-net:generation: "1"')
    project.up().well()


def test_a_second_up_names_the_process_of_the_first(project: Project) -> None:
    first = project.start_oracle("up")
    locks = project.root / ".oracle/pulumi/local/state/.pulumi/locks"
    until(lambda: list(locks.rglob("*.json")), "the first update holds the lock", seconds=60)
    holder = psutil.Process(json.loads(next(locks.rglob("*.json")).read_text())["pid"])
    holder.suspend()  # so that it is still at work, however long the others take
    at_work = (
        r"Another update of local is running: process \d+ of \S+ on \S+, since \S+\. Fix: wait for it; or run `kill "
        r"\d+` "
        r"to end it\."
    )
    try:
        assert_fails_with(project.oracle("up"), at_work)
        assert_fails_with(project.oracle("wipe", "--yes"), at_work)
    finally:
        holder.resume()
    output, _ = first.communicate(timeout=120)
    assert first.returncode == 0, output


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        yield


@pytest.fixture(scope="module")
def stopped(project: Project) -> Iterator[Project]:
    """The same project with its local cloud stopped, for the module's last tests."""
    project.oracle("down").well()
    yield project
    assert project.oracle("up").status == 0


NOT_RUNNING = r"The local cloud does not run\. Fix: run `oracle cloud start --stack local`\."


def control_port(project: Project) -> int:
    return int(urlsplit(project.endpoint).port or 0)


def edge_port(project: Project) -> int:
    return int(urlsplit(project.config["oracle-net:workersUrl"].replace("{script}.", "")).port or 0)


@pytest.mark.slow
@pytest.mark.parametrize("port", [control_port, edge_port], ids=["control", "edge"])
def test_a_port_in_use_is_reported(stopped: Project, port: Callable[[Project], int]) -> None:
    number, before = port(stopped), stopped.state_file.read_bytes()
    with taken(number):
        assert_fails_with(
            stopped.oracle("up"),
            rf"The local cloud did not start: Port {number} is in use( by \S+ \(process \d+\))?\. Fix: stop the "
            r"program that uses the port, then run `make up`; or set other ports in Pulumi\.local\.yaml, then run "
            r"`make up`\.",
        )
    assert stopped.state_file.read_bytes() == before


@pytest.mark.slow
def test_a_stopped_local_cloud_is_reported(stopped: Project) -> None:
    for command in (["cloud", "status"], ["image", "push", "services/backend"]):
        assert_fails_with(stopped.oracle(*command), NOT_RUNNING)
    before = held(stopped)
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        done = stopped.pulumi(*command, "--stack", "local")
        listed = done.failed().output.rpartition("Diagnostics:")[2]
        assert re.search(
            r"^ +error: The local cloud at \S+ does not answer\. Fix: run `make up`\.$", listed, re.MULTILINE
        ), listed
    assert held(stopped) == before

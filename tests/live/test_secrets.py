"""After all kinds of work with known secrets, none is in plain text anywhere. Each test can run alone."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.http import client
from tests.live.leaks import SECRET_FILES, ProcessList, forms, leaked, leaked_in_files
from tests.live.project import Done, Project
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")]

CHOSEN = {
    "first password": "planted-Pa55word-one-7d1f",
    "second password": "planted-Pa55word-two-c04e",
    "first token": "planted-github-token-one-91ab",
    "second token": "planted-github-token-two-5e2c",
}


class Session:
    """A person's work on a project, with all that it printed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.printed: list[str] = []

    def oracle(self, *arguments: str) -> Done:
        return self._kept(self.project.oracle(*arguments))

    def pulumi(self, *arguments: str, **environment: str) -> Done:
        return self._kept(self.project.pulumi(*arguments, "--stack", "local", **environment))

    def up(self) -> Done:
        return self.pulumi("up", "--yes", "--skip-preview")

    def set_secret(self, key: str, value: str) -> None:
        """By standard input, as the prompt of `pulumi config set --secret` takes it."""
        done = subprocess.run(
            ["pulumi", "config", "set", "--secret", f"oracle-net:{key}", "--stack", "local", "--non-interactive"],
            cwd=self.project.root,
            env=self.project.engine_environment,
            input=value,
            capture_output=True,
            text=True,
            check=True,
        )
        self.printed += [done.stdout, done.stderr]

    def _kept(self, done: Done) -> Done:
        self.printed.append(done.output)
        return done


@pytest.fixture(scope="module")
def worked(
    brought_up: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Session, ProcessList, dict[str, str]]]:
    """A project that was worked with while the process list was watched, and every secret that there was."""
    project = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    temporary = project.root / "temporary"
    temporary.mkdir()
    project.environment["TMPDIR"] = str(temporary)
    session = Session(project)
    try:
        with ProcessList() as processes:
            secrets = work(session)
        yield session, processes, secrets
    finally:
        project.stop()


def work(session: Session) -> dict[str, str]:
    """Every kind of run there is, well and badly ended. Returns all secrets by name."""
    project = session.project
    session.oracle("up").well()
    tokens = project.tokens()
    secrets = {"made password": str(project.outputs()["adminPassword"]), **CHOSEN}
    secrets |= {"digitalocean token": tokens["digitalocean"], "cloudflare token": tokens["cloudflare"]}
    change_passwords(session)
    fail(session)
    look(session)
    assert project.outputs()["adminPassword"] == CHOSEN["second password"]
    return secrets


def change_passwords(session: Session) -> None:
    session.set_secret("adminPassword", CHOSEN["first password"])
    session.set_secret("githubToken", CHOSEN["first token"])
    session.pulumi("up", "--yes", "--diff").well()
    session.set_secret("adminPassword", CHOSEN["second password"])
    session.set_secret("githubToken", CHOSEN["second token"])
    # Nobody can stand in for the admin while its password changes: the update fails in the middle of it.
    worker = f"/client/v4/accounts/{session.project.tokens()['accountId']}/workers/scripts/oracle-universe-api"
    session.project.fault(method="PATCH", path=f"{worker}/secrets-bulk", status=400, count=1)
    assert "The admin's password was not changed" in session.up().failed().output
    session.up().well()
    # The app still starts with its first password, so the console has to make the declared one work again.
    restart(session.project)
    session.oracle("up").well()


def fail(session: Session) -> None:
    """With the new passwords still to be set."""
    session.project.edit("services/backend/entrypoint.sh", "exec ", "echo changed\nexec ")
    session.project.fault(app="*", step="build", count=1, message="planted failure")
    assert "planted failure" in session.oracle("up").failed().output
    session.pulumi("preview", DIGITALOCEAN_TOKEN="wrong").failed()
    session.up().well()


def look(session: Session) -> None:
    session.pulumi("preview", "--json").well()
    session.pulumi("stack", "output", "--json").well()
    session.pulumi("stack", "export").well()
    session.pulumi("config").well()
    session.oracle("image", "push", "services/backend").well()
    session.oracle("recover").well()
    session.oracle("cloud", "logs", "-n", "100000").well()
    session.printed += list(answers(session.project))


def restart(project: Project) -> None:
    """As the platform does by itself: another container, which starts with the app's first password."""
    app = project.outputs()["backendAppId"]
    deployment = project.api("POST", f"/v2/apps/{app}/restart", {})["deployment"]["id"]
    until(
        lambda: project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"] == deployment,
        "the restarted container serves",
    )


def answers(project: Project) -> Iterator[str]:
    """What the clouds tell of the app, the Worker and the requests made."""
    tokens = project.tokens()
    worker = f"/client/v4/accounts/{tokens['accountId']}/workers/scripts/oracle-universe-api"
    digitalocean = ["/v2/apps", "/_cloud/requests", f"/v2/apps/{project.outputs()['backendAppId']}/deployments"]
    asked = {"digitalocean": digitalocean, "cloudflare": [f"{worker}/settings", f"{worker}/secrets", worker]}
    for cloud, paths in asked.items():
        with client(headers={"Authorization": f"Bearer {tokens[cloud]}"}) as http:
            for path in paths:
                answer = http.get(f"{project.endpoint}{path}")
                assert answer.status_code == 200, f"{path}: {answer.text}"
                yield answer.text


@pytest.mark.slow
def test_the_secrets_are_in_use(worked: tuple[Session, ProcessList, dict[str, str]]) -> None:
    session, _, secrets = worked
    assert all(len(secret) >= 20 for secret in secrets.values())
    outputs = session.project.outputs()
    with client() as http:
        assert http.get(f"{outputs['apiUrl']}/api/admin/check").json()["admin"]
        assert http.get(f"{outputs['apiUrl']}/api/github").json()["configured"]


@pytest.mark.slow
def test_no_output_contains_a_secret(worked: tuple[Session, ProcessList, dict[str, str]]) -> None:
    session, _, secrets = worked
    found = [(sorted(names), text[:2000]) for text in session.printed if (names := leaked(text.encode(), secrets))]
    assert not found


@pytest.mark.slow
def test_no_file_contains_a_secret(worked: tuple[Session, ProcessList, dict[str, str]]) -> None:
    session, _, secrets = worked
    root = session.project.root
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    searched = ("Pulumi.local.yaml", ".oracle/cloud/cloud.sqlite3", ".oracle/cloud/cloud.log")
    assert names.issuperset({*searched, *SECRET_FILES})
    assert session.project.state_file.is_file()
    assert any("/history/" in name for name in names)
    assert not leaked_in_files(root, secrets, SECRET_FILES)


@pytest.mark.slow
def test_files_with_tokens_are_readable_only_by_their_owner(
    worked: tuple[Session, ProcessList, dict[str, str]],
) -> None:
    root = worked[0].project.root
    assert {name: oct((root / name).stat().st_mode & 0o777) for name in SECRET_FILES} == dict.fromkeys(
        SECRET_FILES, "0o600"
    )
    assert (root / ".oracle").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_no_process_has_a_secret_in_its_arguments(worked: tuple[Session, ProcessList, dict[str, str]]) -> None:
    _, processes, secrets = worked
    assert processes.looks > 100
    assert any(b"localcloud" in arguments for arguments in processes.seen)
    assert any(b"superuser" in arguments for arguments in processes.seen)
    found = {arguments: sorted(names) for arguments in processes.seen if (names := leaked(arguments, secrets))}
    assert not found


@pytest.mark.parametrize("leak", list(range(len(list(forms("x" * 20))))))
def test_the_search_finds_every_encoding_of_a_secret(tmp_path: Path, leak: int) -> None:
    secret = "planted-~~~???-secret"
    wrapped = [f"a{secret}b", f"ab{secret}", f"abc{secret}d", secret.encode().hex()]
    texts = [wrapped[0].encode(), wrapped[3].encode()]
    texts += [base64.b64encode(text.encode()) for text in wrapped[:3]]
    texts += [base64.urlsafe_b64encode(text.encode()) for text in wrapped[:3]]
    (tmp_path / "file").write_bytes(b"before " + texts[leak] + b" after")
    assert leaked_in_files(tmp_path, {"it": secret}, frozenset()) == ["file: it"]


def test_the_process_list_sees_a_short_process() -> None:
    with ProcessList() as processes, subprocess.Popen(["sleep", "600.5"]) as sleeping:
        until(lambda: b"sleep\x00600.5\x00" in processes.seen, "the process is seen")
        sleeping.kill()

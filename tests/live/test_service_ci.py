"""The workflow of a service's repository and the daily backup, step by step as on GitHub. Each test can run alone.

The remotes are git repositories on disk, the state and the backups are in buckets, and staging's clouds are a local
cloud at an address that no stack counts as the local cloud. Left out are the steps that install what is here already,
and the comment, which needs GitHub.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.engine.stacks import TEMPLATE
from cli.rehearse.rehearsal import bare
from clients.http import client
from tests.live.project import PROJECT, Done, Project
from tests.live.test_first_steps import REAL, forwarded
from tests.live.workflow_steps import Job
from tests.support import npm
from tests.support.cloud import RunningCloud
from tests.support.waiting import free_port

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1800)]

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
INSTALLED = (".ci/package-managers", "make tools", ".venv/bin/oracle comment", ".venv/bin/oracle issue")
NOT_A_FORK = "github.event.pull_request.head.repo.full_name == github.repository"
API = "oracle-universe-api"
SITES = {"oracle-net-web": "web", "oracle-universe-web": "universe"}
GREETING = 'module.exports = "hello from a package"'
BUILD = """\
const { mkdirSync, readFileSync, writeFileSync } = require("node:fs");
mkdirSync("dist", { recursive: true });
writeFileSync("dist/worker.js", readFileSync("src/worker.js", "utf8").replace("1.4.2", require("greeting")));
"""


@dataclass
class Team:
    """The team's remotes, and what its jobs know."""

    root: Path
    cloud: RunningCloud
    secrets: dict[str, str]
    state: str
    path: str

    @property
    def remotes(self) -> Path:
        return self.root / "remotes"

    def push(self, name: str, message: str, branch: str = "main") -> str:
        """Commits all in the working copy of that name, pushes it, and returns the commit."""
        copy = self.root / "copies" / name
        git(copy, "add", "-A")
        git(copy, *WHO, "commit", "-q", "-m", message)
        git(
            copy, "push", "-q", "--force", (self.remotes / "team" / f"{name}.git").as_uri(), f"HEAD:refs/heads/{branch}"
        )
        return git(copy, "rev-parse", "HEAD")

    def job(self, name: str, own: str, workflow: str = "service", repository: str = f"team/{API}") -> Job:
        workspace = self.root / "machines" / f"{name}-{own[:10]}"
        workspace.parent.mkdir(exist_ok=True)
        known = {
            "job.workflow_repository": "team/network",
            "inputs.path || github.event.repository.name": API,
            "github.repository_owner": "team",
            "inputs.service": "api",
            "inputs.stack": "staging",
            "github.event.pull_request.number": "7",
            "vars.PULUMI_BACKEND_URL": self.state,
            "secrets.CHECKOUTS_TOKEN || github.token": "",
            f"{NOT_A_FORK} && secrets.CHECKOUTS_TOKEN || github.token": "",
        }
        machine = {
            **bare(),
            "PATH": self.path,
            "PYTHONPATH": str(workspace / ("network" if workflow == "service" else ".")),
            "PULUMI_HOME": str(self.root / "home"),
            "GITHUB_STEP_SUMMARY": str(self.root / "summary.md"),
        }
        return Job(workflow, name, workspace, self.remotes, repository, own, known, self.secrets, machine)

    def ran(self, job: Job) -> Done:
        """The job's last command, which succeeded as all before it."""
        last = Done(1, "nothing was run")
        for command, last in job.run(*INSTALLED):
            assert last.status == 0, f"{command}\n{last.output}"
        return last

    def ping(self, where: str = "") -> dict[str, Any]:
        address = where or f"http://{API}-staging.oracle.workers.localhost:{self.cloud.edge_port}"
        with client() as http:
            return dict(http.get(f"{address}/ping").raise_for_status().json())


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def api_repository(copy: Path) -> None:
    """A Worker whose build needs a package."""
    (copy / "src").mkdir(parents=True)
    shutil.copy(PROJECT / "tests/live/plain_api/worker.js", copy / "src/worker.js")
    (copy / ".gitignore").write_text("dist\nnode_modules\n")
    (copy / "build.cjs").write_text(BUILD)
    (copy / "greeting.tgz").write_bytes(npm.package('{"name": "greeting", "version": "1.0.0"}', GREETING))
    needs = {"devDependencies": {"greeting": "file:greeting.tgz"}}
    (copy / "package.json").write_text(json.dumps(needs))
    installed = {"version": "1.0.0", "resolved": "file:greeting.tgz", "dev": True}
    packages = {"": needs, "node_modules/greeting": installed}
    (copy / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "requires": True, "packages": packages}))


def network_repository(copy: Path, staging: str) -> None:
    """This repository as it is, but for staging's file."""
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (PROJECT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, copy / name)
    (copy / "Pulumi.staging.yaml").write_text(staging)


def staging_file(cloud: RunningCloud, port: int, s3: str) -> str:
    """The committed one with what only a person knows; the services' checkouts are where it looks for them."""
    document = yaml.safe_load((PROJECT / "Pulumi.staging.yaml").read_text())
    ours = yaml.safe_load((PROJECT / TEMPLATE).read_text())["config"]
    config: dict[str, Any] = document["config"]
    config["oracle-net:accountId"] = cloud.tokens.account_id
    config["oracle-net:workersUrl"] = f"http://{{script}}.oracle.workers.localhost:{cloud.edge_port}"
    config["digitalocean:apiEndpoint"] = f"http://{REAL}:{port}"
    config["cloudflare:baseUrl"] = f"http://{REAL}:{port}/client/v4"
    config["oracle-net:backup"] = {"store": "s3://backups/staging", "endpoint": s3}
    sections = dict(
        config.get("oracle-net:workers") or {name: config[f"oracle-net:{name}"] for name in ("api", *SITES.values())}
    )
    sections["api"] |= {"build": "node build.cjs", "entry": "dist/worker.js"}
    for name in SITES.values():
        sections[name].pop("build")
        sections[name]["assets"] = "public"
    backend = config["oracle-net:backend"]
    backend["path"] = "services/backend"
    backend["image"] = {**ours["oracle-net:backend"]["image"], "store": f"http://{REAL}:{port}/_cloud/images"}
    return str(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="module")
def team(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Staging runs what the first commits of all repositories say."""
    root = tmp_path_factory.mktemp("team")
    cloud = RunningCloud(root / "clouds", free_port(), free_port()).start()
    import boto3

    storage = boto3.client(
        "s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="ada", aws_secret_access_key="secret"
    )
    for bucket in ("state", "backups"):
        storage.create_bucket(Bucket=bucket)
    secrets = {
        "DIGITALOCEAN_TOKEN": cloud.tokens.digitalocean,
        "CLOUDFLARE_API_TOKEN": cloud.tokens.cloudflare,
        "PULUMI_CONFIG_PASSPHRASE": "the team's own passphrase",
        "AWS_ACCESS_KEY_ID": "ada",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    options = "use_path_style=true&region=us-east-1&response_checksum_validation=when_required"
    made = Team(root, cloud, secrets, f"s3://state/team?endpoint={s3}&{options}", npm.path(root / "bin"))
    try:
        with forwarded(cloud.port) as port:
            copies = root / "copies"
            network_repository(copies / "network", staging_file(cloud, port, s3))
            api_repository(copies / API)
            for name, service in SITES.items():
                shutil.copytree(PROJECT / "services" / service, copies / name)
            for name in ("network", API, *SITES):
                subprocess.run(
                    ["git", "init", "-q", "--bare", "-b", "main", made.remotes / "team" / f"{name}.git"], check=True
                )
                git(copies / name, "init", "-q", "-b", "main")
                (copies / name / ".git/info/exclude").write_text(".venv\n")
                made.push(name, "first")
            first_deploy(made)
            yield made
    finally:
        cloud.stop()


def first_deploy(team: Team) -> None:
    """By a person, from a laptop that has all checkouts; what the first update wrote into the file is pushed."""
    network = team.root / "copies" / "network"
    (network / ".venv").symlink_to(sys.prefix)
    environment = {**bare(), **team.secrets, "PULUMI_HOME": str(team.root / "home"), "PULUMI_BACKEND_URL": team.state}
    environment |= {"PATH": team.path}
    python = ["-m", "offline_plugins", "install", environment["PULUMI_HOME"], "random", "digitalocean", "cloudflare"]
    subprocess.run([sys.executable, *python], cwd=network, check=True, env={**environment, "PYTHONPATH": str(network)})
    Project(network, "staging", environment, seconds=600).oracle("deploy", "--stack", "staging", "--yes").well()
    team.push("network", "The stack's salt")


def change(team: Team, branch: str, old: str, new: str) -> str:
    """A commit of the api's on a branch, from main."""
    copy = team.root / "copies" / API
    git(copy, "checkout", "-q", "-B", branch, "main")
    worker = copy / "src/worker.js"
    assert old in worker.read_text()
    worker.write_text(worker.read_text().replace(old, new))
    return team.push(API, f"{new} instead of {old}", branch)


def test_a_merge_deploys_only_the_service_from_its_own_commit(team: Team) -> None:
    assert team.ping() == {"pong": True, "version": "hello from a package", "release": "spring"}
    site = team.root / "copies/oracle-net-web"
    (site / "public/index.html").write_text("merged there, and not deployed yet")
    team.push("oracle-net-web", "another page")
    before = running(team)
    merged = change(team, "main", "spring", "summer")
    said = team.ran(team.job("deploy", merged)).output
    assert "api | npm ci --include=dev --no-audit --no-fund (package-lock.json)" in said
    assert team.ping()["release"] == "summer"
    after = running(team)
    assert {name for name in before if before[name] != after[name]} == {"api"}


def running(team: Team) -> dict[str, str]:
    """The version of each service, as staging's receipt says."""
    network = team.root / "copies" / "network"
    environment = {**bare(), **team.secrets, "PULUMI_HOME": str(team.root / "home"), "PULUMI_BACKEND_URL": team.state}
    status = Project(network, "staging", environment).oracle("status", "--stack", "staging", "--json")
    return {each["name"]: each["version"] for each in json.loads(status.output)["services"]}


def test_a_pull_request_gets_a_preview_that_changes_nothing(team: Team) -> None:
    before = team.ping()
    job = team.job("preview", change(team, "pull", "pong: true", "pong: false"))
    said = team.ran(job).output
    assert "api: another version" in said
    assert "Not touched: backend, universe, web." in said
    assert "api: another version" in (job.workspace / "network/plan.md").read_text()
    assert team.ping() == before


def test_a_pull_request_is_rehearsed_with_the_other_checkouts(team: Team) -> None:
    head = change(team, "pull", "pong: true", "pong: 'rehearsed'")
    base = git(team.root / "copies" / API, "rev-parse", "main")
    job = team.job("rehearsal", head)
    said = team.ran(job).output
    begins = ["api:", "web:", "universe:", "backend:", "clone", "base", "change", "wipe", "undo", "destroy"]
    assert [word for line in said.splitlines() if (word := line.partition(" ")[0]) in begins] == begins, said
    assert f"api: ../{API} at {base[:10]}, then {head[:10]}" in said
    assert "web: ../oracle-net-web at " in said
    assert "backend: this repository's reference service, because services/backend is in this repository" in said
    assert f"change api {head[:10]} up" in said
    assert "3 of 3 records are there" in said
    assert "3 of 3 records are back" in said
    assert said.rstrip().endswith(" 0 failed.")
    summary = (team.root / "summary.md").read_text()
    assert f"- api: ../{API} at {base[:10]}" in summary
    assert summary.count("<details>") == 4
    assert not list((job.workspace / "network/.oracle/rehearsals").iterdir())


def test_the_daily_backup_is_in_the_bucket_or_the_job_fails(team: Team) -> None:
    head = git(team.root / "copies/network", "rev-parse", "HEAD")
    job = team.job("backup", head, "backup", "team/network")
    commands = dict(job.run(*INSTALLED))  # up to production's, which this team does not have
    done = {command.removeprefix(".venv/bin/oracle backup "): done for command, done in commands.items()}
    assert done["staging --off-site"].status == 0, done
    assert "Backed up: " in done["staging --off-site"].output
    assert done["prod --off-site"].status == 1, "a stack that was never deployed has no backup"
    file = job.workspace / "Pulumi.staging.yaml"
    text = file.read_text()
    for wrong, said in (
        (("s3://backups/staging", "folder:.oracle/backups"), "are stored on the machine that takes them"),
        (("s3://backups/staging", "s3://nowhere/staging"), "nowhere"),
    ):
        file.write_text(text.replace(*wrong))
        refused = job.execute({"run": ".venv/bin/oracle backup staging --off-site"})
        assert (refused.status, said in refused.output) == (1, True), refused.output

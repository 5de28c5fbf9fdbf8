"""A network made by hand, before there was this program: wrangler for the Workers, API calls for the app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from artifacts.contents import image_digest, pack_image
from clients.http import client
from tests.live.project import Project
from tests.support.waiting import until
from toolchain import tools

PASSWORD = "by-hand-password-17"
EMAIL = "admin@oracle.localhost"
API = "oracle-universe-api"
HOST = "oraclenet.localhost"


@dataclass(frozen=True)
class HandMade:
    """`folder` holds what the team deploys from: a wrangler project for each Worker."""

    project: Project
    folder: Path

    @classmethod
    def made(
        cls, project: Project, folder: Path, create: Callable[[HandMade], dict[str, Any]] | None = None
    ) -> HandMade:
        """Everything deployed, in the order in which the team did it; `create` makes the app that serves."""
        project.oracle("cloud", "start").well()
        made = cls(project, folder)
        app = create(made) if create else made.create_app()
        made.deploy(API, made.api(app["live_url"]))
        made.wrangler(API, "secret", "put", "PB_ADMIN_EMAIL", stdin=EMAIL)
        made.wrangler(API, "secret", "put", "PB_ADMIN_PASSWORD", stdin=PASSWORD)
        made.deploy("oracle-net", made.site("web", routes=[{"pattern": HOST, "custom_domain": True}]))
        made.deploy("oracle-universe-web", made.site("universe"))
        return made

    def create_app(self, **changes: Any) -> dict[str, Any]:
        """The app, serving, made of an image."""
        image = {"registry_type": "DOCR", "repository": "oracle-universe-backend", "digest": self.push()}
        app = self.project.api("POST", "/v2/apps", {"spec": self.spec({"image": image}, **changes)})["app"]
        return self.served(app["id"])

    def spec(self, source: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """The app's; its password is a secret variable of the service, as the team has it."""
        service = {
            "name": "oracle-universe-backend",
            "http_port": 8090,
            "instance_count": 1,
            "instance_size_slug": "basic-xs",
            "health_check": {"http_path": "/api/health"},
            "envs": [
                {"key": "PB_ADMIN_EMAIL", "value": EMAIL, "scope": "RUN_TIME"},
                {"key": "PB_ADMIN_PASSWORD", "value": PASSWORD, "scope": "RUN_TIME", "type": "SECRET"},
                {"key": "LOG_LEVEL", "value": "warn", "scope": "RUN_TIME"},
            ],
            **source,
        }
        return {"name": "jellyfish-app", "region": "nyc", "services": [service], **changes}

    def served(self, app_id: str) -> dict[str, Any]:
        """The app, once a deployment of it serves and none is at work."""
        found: dict[str, Any] = {}

        def settled() -> bool:
            found.clear()
            found.update(self.project.api("GET", f"/v2/apps/{app_id}")["app"])
            moving = found.get("pending_deployment") or found.get("in_progress_deployment")
            return bool(found.get("active_deployment")) and not moving

        until(settled, "the app serves", seconds=120)
        return found

    def push(self) -> str:
        """The backend's image, in the store; its digest."""
        packed = pack_image(self.project.root / "services/backend", ("./entrypoint.sh",))
        digest = image_digest(packed)
        token = {"Authorization": f"Bearer {self.project.tokens()['digitalocean']}"}
        with client(timeout=60, headers=token) as http:
            address = f"{self.project.endpoint}/_cloud/images/{digest}"
            answer = http.put(address, params={"repository": "oracle-universe-backend"}, content=packed)
        assert answer.status_code == 201, answer.text
        return digest

    def api(self, backend: str) -> dict[str, Any]:
        """The api's wrangler configuration: the backend's address is a plain variable."""
        source = self.folder / API / "src"
        source.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.project.root / "services/api/src/worker.js", source / "index.js")
        return {"main": "src/index.js", "compatibility_date": "2025-05-05", "vars": {"POCKETBASE_URL": backend}}

    def site(self, service: str, **more: Any) -> dict[str, Any]:
        """A site's wrangler configuration: files and nothing else."""
        files = self.project.root / f"services/{service}/public"
        assets = {"directory": str(files), "not_found_handling": "single-page-application"}
        return {"compatibility_date": "2025-01-01", "assets": assets, **more}

    def deploy(self, script: str, config: dict[str, Any]) -> None:
        folder = self.folder / script
        folder.mkdir(parents=True, exist_ok=True)
        shown = {
            "name": script,
            "workers_dev": True,
            "observability": {"enabled": True},
            "send_metrics": False,
            **config,
        }
        (folder / "wrangler.json").write_text(json.dumps(shown))
        self.wrangler(script, "deploy")

    def wrangler(self, script: str, *arguments: str, stdin: str = "") -> str:
        """wrangler in the folder of a Worker; what it printed."""
        located, tokens = tools.locate(self.project.root / ".venv"), self.project.tokens()
        environment = {
            "HOME": str(self.folder),
            "PATH": f"{located.node.parent}{os.pathsep}{os.environ['PATH']}",
            "CLOUDFLARE_API_BASE_URL": f"{self.project.endpoint}/client/v4",
            "CLOUDFLARE_API_TOKEN": tokens["cloudflare"],
            "CLOUDFLARE_ACCOUNT_ID": tokens["accountId"],
            "WRANGLER_SEND_METRICS": "false",
            "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9",  # the look for updates must not leave this machine
            "CI": "true",
            "NO_COLOR": "1",
        }
        program = located.node_modules / "wrangler" / "bin" / "wrangler.js"
        done = subprocess.run(
            [str(located.node), str(program), *arguments],
            cwd=self.folder / script, env=environment, input=stdin, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def configure_password(self, password: str) -> None:
        """Into the stack's file, encrypted, by standard input as a person pipes it."""
        command = ["pulumi", "config", "set", "--secret", "oracle-net:adminPassword", "--stack", "local"]
        subprocess.run(
            command, cwd=self.project.root, env=self.project.engine_environment, input=password, text=True, check=True
        )

    def cloudflare(self, path: str) -> Any:
        """The `result` of a GET below the account's Workers."""
        tokens = self.project.tokens()
        address = f"{self.project.endpoint}/client/v4/accounts/{tokens['accountId']}/workers{path}"
        with client(timeout=30, headers={"Authorization": f"Bearer {tokens['cloudflare']}"}) as http:
            answer = http.get(address)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def running(self) -> dict[str, Any]:
        """What serves: the apps' active deployments by name, and each Worker's version with its domain."""
        apps = self.project.api("GET", "/v2/apps")["apps"] or []
        found: dict[str, Any] = {app["spec"]["name"]: (app["id"], app["active_deployment"]["id"]) for app in apps}
        for script in (API, "oracle-net", "oracle-universe-web"):
            versions = self.cloudflare(f"/scripts/{script}/deployments")["deployments"][0]["versions"]
            switches = self.cloudflare(f"/scripts/{script}/subdomain")
            found[script] = (versions, switches["enabled"], switches["previews_enabled"])
        return found | {"domains": self.cloudflare("/domains")}


def declare(project: Project, zone: str) -> None:
    """The stack's file says what the team has, as far as it is to stay."""
    document = yaml.safe_load(project.stack_file.read_text())
    document["config"]["oracle-net:workers"]["web"]["domain"] = {"hostname": HOST, "zoneId": zone}
    project.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))

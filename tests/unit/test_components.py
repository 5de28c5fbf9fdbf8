"""Every component and dynamic resource has one shape, and is built from its arguments alone, without settings."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, get_origin, get_type_hints

import pulumi
import pytest
from pulumi import dynamic

from artifacts.contents import AssetSet
from components.admin import Admin, AdminArgs
from components.backend import Alert, Backend, BackendArgs
from components.backend_data import BackendData, DataArgs
from components.backend_generation import BackendGeneration, GenerationArgs
from components.backend_ready import BackendReady, ReadyArgs
from components.bindings import PlainText
from components.declared_worker import DeclaredWorker, DeclaredWorkerArgs, Uploads
from components.monitoring import Monitoring, MonitoringArgs
from components.pushed_image import ImageArgs, PushedImage
from components.release_archive import ArchiveArgs, ReleaseArchive
from components.storage import Storage, StorageArgs
from components.worker import Worker
from components.worker_args import Consumer, Domain, WorkerArgs
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Expected
from lifecycle.context import BackendContext, MigrationPolicy, Traffic
from lifecycle.ownership import Names, Ownership
from stack_outputs import Release
from tests.support.owners import owner
from tests.support.sources import PROJECT, tree
from tests.unit import program

DIGEST = f"sha256:{'1' * 64}"
ACCOUNT = "1" * 32
MAPPING = "worker_bindings"
"""The module that turns settings into bindings. No component imports it."""
MODULES = sorted(path.stem for path in (PROJECT / "components").glob("*.py") if path.stem != "__init__")
CLASSES: list[type[pulumi.Resource]] = [
    each
    for name in MODULES
    for each in vars(import_module(f"components.{name}")).values()
    if isinstance(each, type)
    and issubclass(each, pulumi.ComponentResource | dynamic.Resource)
    and each.__module__ == f"components.{name}"
]


def args_of(resource: type[pulumi.Resource]) -> type:
    found = get_type_hints(resource.__init__)["args"]
    assert isinstance(found, type)
    return found


def of_class(found: list[type[pulumi.Resource]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("resource", found, ids=lambda each: each.__name__)


@of_class(CLASSES)
def test_every_resource_takes_a_name_arguments_and_options(resource: type[pulumi.Resource]) -> None:
    parameters = inspect.signature(resource.__init__).parameters
    assert list(parameters) == ["self", "name", "args", "opts"]
    assert parameters["opts"].default is None
    args = args_of(resource)
    assert args.__name__.endswith("Args")
    assert dataclasses.is_dataclass(args)
    assert args.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(each.kw_only for each in dataclasses.fields(args))


@pytest.mark.parametrize(
    "args", [*dict.fromkeys(map(args_of, CLASSES)), Alert, Consumer, Domain], ids=lambda each: each.__name__
)
def test_every_argument_is_described(args: type) -> None:
    parsed = tree(PROJECT / f"{args.__module__.replace('.', '/')}.py")
    (body,) = (each.body for each in parsed.body if isinstance(each, ast.ClassDef) and each.name == args.__name__)
    declared = {
        each.target.id for each in body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    described = {
        before.target.id
        for before, after in pairwise(body)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    assert declared == {each.name for each in dataclasses.fields(args)}
    assert not declared - described


def test_no_component_needs_the_settings() -> None:
    imports = [f"import components.{name}" for name in MODULES if name != MAPPING]
    code = "\n".join([*imports, "import sys", "print(sorted({'settings', 'pydantic'} & set(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def context() -> BackendContext:
    secret = pulumi.Output.secret("planted-password")
    return BackendContext(
        expected=Expected(
            endpoint="https://api.digitalocean.example",
            service="pocketbase",
            health_path="/api/health",
            console="./pocketbase superuser upsert",
            release=DIGEST,
            email="ada@example.org",
            owner=str(owner()),
            password=secret,
            operator=secret,
        ),
        traffic=Traffic(
            endpoint="https://api.cloudflare.example",
            account=ACCOUNT,
            script="api",
            url="https://api.example.org",
            owner=str(owner()),
        ),
        policy=MigrationPolicy(drain=5, freeze=900),
        backup_config=backup_config(),
        generation=1,
        restore_from=None,
        restart=0,
        ephemeral=False,
        locked=False,
    )


def backup_config() -> BackupConfig:
    return BackupConfig(
        owner=owner(), store="folder:backups", endpoint=None, region=None, key=None, keep_count=30, keep_days=None
    )


async def hook(_: pulumi.ResourceHookArgs) -> None:
    raise AssertionError("no hook runs under mocks")


def backend_args() -> BackendArgs:
    guard: Any = SimpleNamespace(
        before_create=pulumi.ResourceHook("backend-before-create", hook),
        before_delete=pulumi.ResourceHook("backup-before-delete", hook),
        before_update=hook,
        after_create=hook,
        after_update=hook,
        carry_alerts=hook,
    )
    log: Any = SimpleNamespace(start=hook, failed=hook, then=lambda each: each)
    return BackendArgs(
        app="app",
        service="pocketbase",
        generation=2,
        release=DIGEST,
        registry_type="DOCR",
        repository="pocketbase",
        digest=DIGEST,
        region="sgp",
        size="basic-xxs",
        port=8090,
        health_path="/api/health",
        variables={"A": "plain"},
        secrets={"B": "planted-secret"},
        alerts=[
            Alert(rule="DEPLOYMENT_FAILED"),
            Alert(rule="RESTART_COUNT", operator="GREATER_THAN", value=3.0, window="FIVE_MINUTES"),
        ],
        trigger="app",
        delete_guard=guard,
        log=log,
    )


def ownership() -> Ownership:
    return Ownership("https://api.cloudflare.example", ACCOUNT, "https://api.digitalocean.example")


def gate() -> pulumi.Resource:
    return pulumi.ComponentResource("test:index:Gate", "gate")


def worker_args() -> WorkerArgs:
    return WorkerArgs(
        account_id=ACCOUNT,
        script=pulumi.Output.from_input("oracle-web"),
        url="https://web.example.org",
        module="export default {}",
        assets=AssetSet(directory="stage", digest="a" * 64, headers=None, redirects=None),
        not_found="404-page",
        compatibility_date="2026-01-01",
        bindings=[PlainText(name="API_URL", value="https://api.example.org")],
        domain=Domain(hostname="web.example.org", zone_id="2" * 32),
        crons=["* * * * *"],
        consumers={"jobs": Consumer(queue_id="3" * 32, batch_size=5)},
        ownership=ownership(),
        gate=gate(),
    )


def release() -> Release:
    return Release(backend=DIGEST, workers={"api": "a" * 64}, assets={}, commits={})


ARGS: dict[type[pulumi.Resource], Callable[[], Any]] = {
    Admin: lambda: AdminArgs(email="ada@example.org"),
    Backend: backend_args,
    BackendData: lambda: DataArgs(context=context(), app_id="app-id", app="app"),
    BackendGeneration: lambda: GenerationArgs(
        context=context(), base="app", trigger="1.1.a", secrets={}, names=Names(app="app", scripts={}, domains={})
    ),
    BackendReady: lambda: ReadyArgs(context=context(), app_id="app-id", declared={}, url="https://app.example.org"),
    DeclaredWorker: lambda: DeclaredWorkerArgs(
        script="web",
        bindings=[PlainText(name="A", value="b")],
        uploads=Uploads(),
        etag=pulumi.Output.from_input("etag"),
        modified=pulumi.Output.from_input("2026-01-01T00:00:00Z"),
    ),
    Monitoring: lambda: MonitoringArgs(
        targets={"web": pulumi.Output.from_input("https://web.example.org/")},
        emails=["ada@example.org"],
        regions=["us_east"],
        latency_ms=2000,
        ownership=ownership(),
    ),
    PushedImage: lambda: ImageArgs(
        directory="services/backend",
        run=["./serve"],
        repository="pocketbase",
        digest=DIGEST,
        store="http://127.0.0.1:1/images",
        endpoint="http://127.0.0.1:1",
    ),
    ReleaseArchive: lambda: ArchiveArgs(
        release=release(),
        app="app",
        app_id="app-id",
        packed=True,
        count=10,
        backup_config=backup_config(),
        after=[pulumi.Output.from_input("https://web.example.org")],
    ),
    Storage: lambda: StorageArgs(
        account_id=ACCOUNT, resources=[("kv", "cache"), ("r2", "files"), ("d1", "rows"), ("queue", "jobs")], gate=gate()
    ),
    Worker: worker_args,
}


def built(resource: Any) -> program.Run:
    def declare() -> dict[str, Any]:
        resource("built", ARGS[resource]())
        return {}

    return program.run_declared(declare, {})


def test_every_resource_is_built_here() -> None:
    assert {*ARGS} == {*CLASSES}


@of_class([each for each in CLASSES if issubclass(each, dynamic.Resource)])
def test_a_dynamic_resource_is_built_from_its_arguments(resource: type[pulumi.Resource]) -> None:
    assert "built" in {each.name for each in built(resource).of(f"pulumi-python:dynamic:{resource.__name__}")}


@of_class([each for each in CLASSES if issubclass(each, pulumi.ComponentResource)])
def test_a_component_registers_its_typed_outputs(resource: type[pulumi.Resource]) -> None:
    run = built(resource)
    typed: dict[str, Any] = {
        name: get_origin(hint) for name, hint in inspect.get_annotations(resource, eval_str=True).items()
    }
    outputs = {name for name, origin in typed.items() if origin is pulumi.Output}
    assert run.registered[f"oracle-net:index:{resource.__name__}"] == outputs


def test_an_argument_may_be_another_resources_output() -> None:
    run = built(Worker)
    assert run.one("built-script").inputs["scriptName"] == "oracle-web"
    assert run.one("built-consumes-jobs").inputs["queueId"] == "3" * 32


def test_an_alert_is_declared_where_the_cloud_has_it() -> None:
    spec = program.plain(built(Backend).one("built-app").inputs["spec"])
    assert spec["alerts"] == [{"rule": "DEPLOYMENT_FAILED"}]
    assert spec["services"][0]["alerts"] == [
        {"rule": "RESTART_COUNT", "operator": "GREATER_THAN", "value": 3.0, "window": "FIVE_MINUTES"}
    ]

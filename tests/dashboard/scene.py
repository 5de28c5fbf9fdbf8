"""What a page shows in tests: a stack as it is on an ordinary night, and one whose every name is hostile."""

from __future__ import annotations

from typing import Any

from cli.backups.stack_backups import Change
from cli.dashboard import Content, Fact, Run, Service, from_state
from cli.dashboard.content import Finding
from storage.backups import Backup, Entry

EVIL = "\"><script>alert('x')</script><img src=x onerror=alert(1)>\u202e\x1b[31m]]>--></style>&amp;\ud800"
STACK = "urn:pulumi:local::oracle-net::pulumi:pulumi:Stack::oracle-net-local"
CHART = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 60" width="800" height="60">'
    '<rect x="10" y="10" width="300" height="14" fill="#62a"/>'
    '<rect x="310" y="34" width="400" height="14" fill="#2a6"/>'
    "</svg>"
)


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:local::oracle-net::{kind}::{name}"


def resource(kind: str, name: str, parent: str = STACK, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"urn": urn(kind, name), "type": kind, "parent": parent, "dependencies": list(needs)}


def state() -> dict[str, Any]:
    """An exported state with the shape of the program's own, in the order in which the engine lists it."""
    component = "oracle-net:index:{}".format
    dynamic = "pulumi-python:dynamic:{}".format
    image, ready, data = urn(dynamic("PushedImage"), "backend-image"), urn(dynamic("BackendReady"), "backend-ready"), ""
    password = urn("random:index/randomPassword:RandomPassword", "admin-password")
    app = urn("digitalocean:index/app:App", "backend-app")
    data = urn(dynamic("BackendData"), "backend-data")
    generation = urn(dynamic("BackendGeneration"), "backend-generation")
    found = [
        {"urn": STACK, "type": "pulumi:pulumi:Stack"},
        {"urn": urn("pulumi:providers:random", "default"), "type": "pulumi:providers:random"},
        resource(component("Admin"), "admin"),
        resource("random:index/randomPassword:RandomPassword", "admin-password", urn(component("Admin"), "admin")),
        resource(dynamic("PushedImage"), "backend-image"),
        resource(dynamic("BackendGeneration"), "backend-generation"),
        resource(component("Backend"), "backend"),
        resource(
            "digitalocean:index/app:App",
            "backend-app",
            urn(component("Backend"), "backend"),
            (password, image, generation),
        ),
        resource(dynamic("BackendData"), "backend-data", needs=(app, password, generation)),
        resource(dynamic("BackendReady"), "backend-ready", needs=(app, password, data)),
        resource(component("Monitoring"), "uptime"),
    ]
    for name, needs in (("api", (ready, password, generation)), ("web", ()), ("universe", ())):
        script, address = f"{name}-script", f"{name}-subdomain"
        wants = needs or (urn("cloudflare:index:WorkersScriptSubdomain", "api-subdomain"),)
        parent = urn(component("Worker"), name)
        found += [
            resource(component("Worker"), name),
            resource("cloudflare:index:WorkersScript", script, parent, wants),
            resource(
                "cloudflare:index:WorkersScriptSubdomain",
                address,
                parent,
                (urn("cloudflare:index:WorkersScript", script),),
            ),
            resource(
                "digitalocean:index:UptimeCheck",
                f"{name}-check",
                urn(component("Monitoring"), "uptime"),
                (urn("cloudflare:index:WorkersScriptSubdomain", address),),
            ),
        ]
    return {"deployment": {"resources": found}}


def ordinary() -> Content:
    """One service hangs; there are runs, backups, a history."""
    return Content(
        stack="local",
        at="2026-11-22T01:12:44Z",
        level="degraded",
        services=[_service("backend"), _hanging(), _service("web"), _service("universe")],
        facts=[Fact(name="monthly cost", value="$5.00"), Fact(name="newest backup", value="3 hours old")],
        runs=[
            _run("20261122-011002-9f3a", "deploy", "running", "", chart=""),
            _run("20261121-230114-77b0", "wipe", "ok", "2026-11-21T23:02:31Z"),
            _run("20261121-201530-0c1d", "deploy", "failed", "2026-11-21T20:15:52Z"),
        ],
        graph=from_state(state()),
        backups=[_backup(3), _backup(2)],
        history=[
            change("wipe", _backup(3).id, []),
            change("release", _backup(2).id, ["writes were refused for 4.1 s"]),
            change("first", None, []),
        ],
    )


def hostile() -> Content:
    """The same, with the worst in every place that somebody else may fill."""
    name = "evil-" + EVIL
    return Content(
        stack=name,
        at=name,
        level=name,
        services=[
            Service(
                name=name,
                level=name,
                version=name,
                address=f"javascript:{name}",
                facts=[Fact(name=name, value=name)],
                findings=[Finding(level=name, what=name * 4, command=name)],
            ),
            Service(name="b" * 400, level="down", address="http://" + "a" * 400 + ".localhost:8401/?" + EVIL),
        ],
        runs=[
            Run(
                id=name, kind=name, who=name, began=name, ended=name, status=name, chart=f"<svg>{name}", output=name * 9
            )
        ],
        graph=from_state({"deployment": {"resources": [resource(name, name), resource("k" * 300, "漢字" * 90)]}}),
        backups=[_backup(1, name)],
        history=[change(name, name, [name, "n" * 300])],
        problems={"runs": name, "graph": name},
    )


def _service(name: str) -> Service:
    return Service(
        name=name,
        level="healthy",
        version="3f2a91c0de11",
        address=f"http://oracle-{name}.oracle.workers.localhost:8401",
        facts=[Fact(name="answers in", value="6 ms"), Fact(name="secrets", value="4, set 2 days ago")],
    )


def _hanging() -> Service:
    return Service(
        name="api",
        level="degraded",
        version="77aa01b2c3d4",
        address="http://oracle-universe-api.oracle.workers.localhost:8401",
        facts=[Fact(name="answers in", value="4 812 ms"), Fact(name="active version", value="12, 100 %")],
        findings=[
            Finding(
                level="degraded",
                what="The api answers /api/health in 4.8 s; 2 s is the limit.",
                command="oracle cloud console",
            ),
            Finding(level="healthy", what="Rolled back to version 12 by hand."),
        ],
    )


def _run(identifier: str, kind: str, status: str, ended: str, chart: str = CHART) -> Run:
    began = f"{identifier[:4]}-{identifier[4:6]}-{identifier[6:8]}T{identifier[9:11]}:{identifier[11:13]}:02Z"
    output = "\n".join(f"@ updating {number} of 40 resources (oracle-net-local)" for number in range(40))
    return Run(
        id=identifier,
        kind=kind,
        who="ada@example.org",
        began=began,
        ended=ended,
        status=status,
        chart=chart,
        output=output,
    )


def _backup(number: int, name: str = "") -> Backup:
    return Backup(
        owner="organization/oracle-net/local",
        app_id=f"app-{number}",
        app=f"jellyfish-app-g{number}",
        generation=number,
        release="sha256:" + "a" * 64,
        pocketbase="0.36.0",
        reason="wipe",
        id=name or f"g{number}-20261121T2301{number:02}Z-4f1a",
        created=f"2026-11-21T23:01:{number:02}.120Z",
        size=1_204_221,
        sha256="b" * 64,
        records={"humans": 12, "posts": 140, "_superusers": 1},
        files=9,
        file_bytes=10_000,
        users=12,
        last_write="2026-11-21T22:59:00Z",
        encrypted=number > 2,
    )


def change(kind: str, backup: str | None, notes: list[str]) -> Change:
    first = kind == "first"
    entry = Entry(
        at="2026-11-21T23:01:14Z",
        kind=kind,  # type: ignore[arg-type]  # an audit log may have been written by anybody
        who="ada@example.org",
        from_generation=None if first else 2,
        from_release=None if first else "sha256:" + "a" * 64,
        to_generation=3,
        to_release="sha256:" + "c" * 64,
        records={},
        migrated=None,
        backup=backup,
        from_app=None if first else "jellyfish-app-g2",
        to_app="jellyfish-app-g3",
    )
    return Change(entry, backup, {}, notes, f"oracle restore {backup} local" if backup else None)

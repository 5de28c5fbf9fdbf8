"""SECRET variables: encrypted in every answer, in plain text only in the process that gets them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.localcloud.account import Account, Json
from tests.support.cloud import RunningCloud
from tests.support.waiting import until

EV = re.compile(r"EV\[1:[^:\]]+:[^\]]+\]")
PLANTED = "planted-Secret-7741"
PLANTED_TOO = "planted-Other-9902"


def secret(key: str, value: str) -> Json:
    return {"key": key, "value": value, "type": "SECRET", "scope": "RUN_TIME"}


def test_a_secret_is_encrypted_in_answers_and_plain_in_the_program(account: Account) -> None:
    plain = {"key": "GREETING", "value": "hello", "scope": "RUN_TIME"}
    app = account.up("sealed", app_envs=[secret("ADMIN", PLANTED)], envs=[plain, secret("TOKEN", PLANTED_TOO)])
    shown = app["spec"]["envs"][0]
    assert EV.fullmatch(shown["value"])
    assert shown | {"value": ""} == secret("ADMIN", "")
    assert app["spec"]["services"][0]["envs"][0] == plain
    assert EV.fullmatch(app["spec"]["services"][0]["envs"][1]["value"])
    assert EV.fullmatch(app["active_deployment"]["spec"]["envs"][0]["value"])
    env = account.get(app, "/env").json()
    assert (env["ADMIN"], env["TOKEN"], env["GREETING"]) == (PLANTED, PLANTED_TOO, "hello")


def test_an_encrypted_value_that_is_sent_back_does_not_change_the_secret(account: Account) -> None:
    app = account.up("kept", app_envs=[secret("ADMIN", PLANTED)])
    shown = app["spec"]["envs"][0]
    account.update(app["id"], account.spec("kept", app_envs=[shown]))
    again = account.app(app["id"])
    assert again["spec"]["envs"] == [shown]
    assert account.get(again, "/env").json()["ADMIN"] == PLANTED
    account.update(app["id"], account.spec("kept", app_envs=[secret("ADMIN", PLANTED_TOO)]))
    changed = account.app(app["id"])["spec"]["envs"][0]["value"]
    assert changed != shown["value"]
    assert account.get(again, "/env").json()["ADMIN"] == PLANTED_TOO


def test_the_encrypted_value_of_another_app_is_refused(account: Account) -> None:
    first = account.create(account.spec("one-app", app_envs=[secret("ADMIN", PLANTED)]))
    stolen = first["spec"]["envs"][0]
    answer = account.http.post("/v2/apps", json={"spec": account.spec("other-app", app_envs=[stolen])})
    assert answer.status_code == 400
    assert 'field "envs.value"' in answer.json()["message"]


def test_a_registry_login_is_encrypted_too(account: Account) -> None:
    spec = account.spec("registry")
    spec["services"][0]["image"]["registry_credentials"] = f"user:{PLANTED}"
    app = account.create(spec)
    shown = app["spec"]["services"][0]["image"]["registry_credentials"]
    assert EV.fullmatch(shown)
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    account.update(app["id"], app["spec"])
    assert account.app(app["id"])["spec"]["services"][0]["image"]["registry_credentials"] == shown
    spec["services"][0]["image"]["registry_credentials"] = shown[:-3] + "AA]"
    assert account.http.put(f"/v2/apps/{app['id']}", json={"spec": spec}).status_code == 400


def test_a_variable_of_a_component_overrides_that_of_the_app(account: Account) -> None:
    app = account.up("winner", app_envs=[secret("GREETING", "from the app")], envs=[secret("GREETING", "own")])
    assert account.get(app).json()["greeting"] == "own"


def test_a_program_gets_nothing_of_the_local_clouds_environment(account: Account) -> None:
    build_only = {"key": "BUILDING", "value": "1", "scope": "BUILD_TIME"}
    app = account.up("clean", envs=[build_only, {"key": "PORT", "value": "1"}, {"key": "URL", "value": "${APP_URL}/x"}])
    env = account.get(app, "/env").json()
    assert {name for name in env if name not in ("LC_CTYPE", "__CF_USER_TEXT_ENCODING")} == {
        *("PATH", "HOME", "LANG", "TMPDIR", "PORT", "HOST", "URL")
    }
    assert env["HOST"] == "127.0.0.1"
    assert env["PORT"] != "1"
    assert env["URL"] == f"{app['default_ingress']}/x"
    assert Path(env["PATH"].split(":")[0]) == account.cloud.programs.pocketbase.parent


def files_with(root: Path, text: str) -> list[str]:
    """Files below a folder that hold a text."""
    needle = text.encode()
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(root)) for path in found if needle in path.read_bytes()]


def test_no_secret_is_in_plain_text_on_disk(own_cloud: RunningCloud) -> None:
    hook, key = "https://hooks.example.test/planted-hook-1", "planted-datadog-key"
    with Account(own_cloud) as account:
        app = account.up("planted", app_envs=[secret("ADMIN", PLANTED)], envs=[secret("TOKEN", PLANTED_TOO)])
        account.get(app, f"/print?the-secret-is-{PLANTED}")
        shipped = [{"name": "ship", "datadog": {"api_key": key}}]
        account.update(
            app["id"], account.spec("planted", app_envs=[secret("ADMIN", PLANTED_TOO)], log_destinations=shipped)
        )
        account.get(app, f"/print?the-other-is-{PLANTED_TOO}")
        check = account.http.post("/v2/uptime/checks", json={"name": "c", "target": app["live_url"], "type": "http"})
        alert = {"name": "a", "type": "down", "notifications": {"email": [], "slack": [{"url": hook, "channel": "#x"}]}}
        account.http.post(f"/v2/uptime/checks/{check.json()['check']['id']}/alerts", json=alert)
        log = until(lambda: account.log(app["id"], account.app(app["id"])["active_deployment"]["id"], "RUN"), "log")
        assert "the-other-is-********" in log
        for text in (PLANTED, PLANTED_TOO, hook, key):
            assert files_with(own_cloud.root, text) == []
        token = own_cloud.tokens.digitalocean
        assert files_with(own_cloud.root, token) == ["tokens.json"]
        requests = account.http.get("/_cloud/requests").text
        assert PLANTED not in requests
        assert token not in requests
    own_cloud.stop()
    for text in (PLANTED, PLANTED_TOO, hook, key):
        assert files_with(own_cloud.root, text) == []
    for name in ("tokens.json", "vault.key", "cloud.sqlite3"):
        assert (own_cloud.root / name).stat().st_mode & 0o077 == 0
    assert own_cloud.root.stat().st_mode & 0o077 == 0


def test_no_secret_is_on_a_command_line(account: Account) -> None:
    import psutil

    account.up("argv", app_envs=[secret("ADMIN", PLANTED)])
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if PLANTED in line]

"""The user's settings decide where packages come from, and nothing else about their installation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from programs import packages

INDEX = "https://packages.example/simple"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings of this machine."""
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "UV_", "NPM_", "GO", "XDG_", "SSL_CERT_FILE")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(packages, "ETC", tmp_path / "etc")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "none"))
    return tmp_path


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "name,value",
    [
        ("PIP_USER", "1"),
        ("PIP_TARGET", "/elsewhere"),
        ("PIP_PREFIX", "/elsewhere"),
        ("PIP_ROOT", "/elsewhere"),
        ("PIP_REQUIRE_VIRTUALENV", "1"),
        ("PIP_NO_BINARY", ":all:"),
        ("PIP_CONSTRAINT", "/constraints.txt"),
        ("PIP_DRY_RUN", "1"),
        ("UV_CONSTRAINT", "/constraints.txt"),
        ("UV_SYSTEM_PYTHON", "1"),
        ("UV_EXCLUDE_NEWER", "2020-01-01"),
        ("PYTHONHOME", "/elsewhere"),
        ("PYTHONPATH", "/elsewhere"),
        ("PYTHONWARNINGS", "error"),
        ("VIRTUAL_ENV", "/elsewhere"),
    ],
)
def test_settings_of_the_place_and_choice_of_packages_are_ignored(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert name not in packages.python({})


@pytest.mark.parametrize(
    "name",
    ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_PROXY", "UV_DEFAULT_INDEX", "UV_INDEX_OURS_PASSWORD"],
)
def test_settings_of_the_source_of_packages_are_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, INDEX)
    assert packages.python({})[name] == INDEX


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", "etc/pip.conf", "named"])
def test_only_the_indexes_of_pip_files_are_used(home: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"[global]\nindex-url = {INDEX}\ntarget = /t\n[install]\nuser = yes\ntrusted_host = a\n  b\nno-index = yes\n"
    file = write(home / place, text)
    if place == "named":
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    found = packages.python({})
    told = {name: value for name, value in found.items() if name.startswith("PIP_")}
    assert told == {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": INDEX,
        "PIP_TRUSTED_HOST": "a\nb",
        "PIP_NO_INDEX": "yes",
    }
    assert (found["UV_DEFAULT_INDEX"], found["UV_INSECURE_HOST"]) == (INDEX, "a b")
    assert packages.uv_options() == ["--no-index"]


def test_a_variable_overrides_a_file_and_a_later_file_an_earlier_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".pip" / "pip.conf", "[global]\nindex-url = https://old.example\ntimeout = 5\n")
    write(home / ".config" / "pip" / "pip.conf", f"[global]\nindex-url = {INDEX}\n")
    assert packages.python({})["PIP_INDEX_URL"] == INDEX
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine.example")
    found = packages.python({})
    assert (found["PIP_INDEX_URL"], found["PIP_TIMEOUT"]) == ("https://mine.example", "5")


@pytest.mark.parametrize("text", ["user = yes\n", "[global\n", "[global]\nindex-url = a\nindex-url = b\n"])
def test_an_invalid_pip_file_is_ignored(home: Path, text: str) -> None:
    write(home / ".config" / "pip" / "pip.conf", text)
    assert packages.python({})["PIP_CONFIG_FILE"] == os.devnull


def test_only_the_indexes_of_the_uv_file_are_used(home: Path) -> None:
    text = (
        f'exclude-newer = "2020-01-01"\nnative-tls = true\n[[index]]\nurl = "{INDEX}"\ndefault = true\n'
        '[[index]]\nname = "ours"\nurl = "https://ours.example"\n[pip]\ntarget = "/t"\nfind-links = ["/a", "/b"]\n'
    )
    write(home / ".config" / "uv" / "uv.toml", text)
    found = {name: value for name, value in packages.python({}).items() if name.startswith("UV_")}
    assert found == {
        "UV_NO_CONFIG": "1",
        "UV_NATIVE_TLS": "true",
        "UV_DEFAULT_INDEX": INDEX,
        "UV_INDEX": "ours=https://ours.example",
        "UV_FIND_LINKS": "/a,/b",
    }


def test_the_indexes_of_uv_override_those_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_INDEX", INDEX)
    found = packages.python({})
    assert found["UV_INDEX"] == INDEX
    assert "UV_DEFAULT_INDEX" not in found
    assert packages.uv_options() == []


def test_npm_gets_its_registry_and_no_setting_that_omits_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("npm_config_omit", "NPM_CONFIG_GLOBAL", "npm_config_dry_run", "npm_lifecycle_event", "NODE_ENV"):
        monkeypatch.setenv(name, "x")
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_https_proxy", "npm_config_cafile"):
        monkeypatch.setenv(name, INDEX)
    found = packages.npm({"npm_config_cache": "/c"})
    told = {name for name in found if name.lower().startswith(("npm_", "node_env"))}
    kept = {"npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_https_proxy", "npm_config_cafile"}
    assert told == {*kept, "npm_config_cache"}


def test_go_builds_for_this_machine_with_the_users_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOS": "plan9",
        "GOARCH": "mips",
        "GO111MODULE": "off",
        "GOPROXY": INDEX,
        "GOROOT": "/x",
    }.items():
        monkeypatch.setenv(name, value)
    found = packages.go({"GOFLAGS": "-mod=readonly"})
    assert found["GOOS"] in {"linux", "darwin"}
    assert found["GOARCH"] in {"amd64", "arm64"}
    assert (found["GO111MODULE"], found["GOPROXY"], found["GOFLAGS"]) == ("on", INDEX, "-mod=readonly")
    assert "GOROOT" not in found

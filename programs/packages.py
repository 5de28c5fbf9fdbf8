"""Environments for pip, uv, npm and Go, so that they install the right packages in the right place.

The user's settings decide where packages come from: indexes, mirrors, proxies, certificates and logins are taken from
variables and from `pip.conf`, `uv.toml` and `.npmrc`. Settings that change the target or the selection of packages are
ignored: `PIP_USER`, `target = …`, `omit[] = optional`, `GOOS` and the like.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ETC = Path("/etc")
# pip's options for package sources, as they are spelled in `pip.conf`.
PIP_KEPT = frozenset(
    {
        "cache-dir",
        "cert",
        "client-cert",
        "default-timeout",
        "extra-index-url",
        "find-links",
        "index-url",
        "keyring-provider",
        "no-index",
        "proxy",
        "resume-retries",
        "retries",
        "timeout",
        "trusted-host",
        "use-deprecated",
        "use-feature",
    }
)
UV_KEPT = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY|INDEX_\w+_(USERNAME|PASSWORD)|"
    r"KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|OFFLINE|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|LINK_MODE)"
)
UV_INDEXES = frozenset({"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"})
# pip's settings: the variable that has the same meaning for uv, and its separator of several values.
PIP_FOR_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
    "client-cert": ("SSL_CLIENT_CERT", ""),
}
TOML_FOR_UV = {
    "allow-insecure-host": ("UV_INSECURE_HOST", " "),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "index-strategy": ("UV_INDEX_STRATEGY", " "),
    "index-url": ("UV_INDEX_URL", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "link-mode": ("UV_LINK_MODE", " "),
    "native-tls": ("UV_NATIVE_TLS", " "),
    "offline": ("UV_OFFLINE", " "),
    "system-certs": ("UV_SYSTEM_CERTS", " "),
}
PYTHON_KEPT = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONUTF8"})
NPM_KEPT = re.compile(
    r"npm_config_(registry|.*:.*|https?[-_]proxy|proxy|no_?proxy|ca|cafile|strict[-_]ssl|userconfig|globalconfig|"
    r"fetch[-_].*|maxsockets|replace[-_]registry[-_]host|offline|prefer[-_]offline)",
    re.IGNORECASE,
)
NPM_FOREIGN = re.compile(r"npm_(config|lifecycle|package)_|NODE_ENV$|NODE_PATH$", re.IGNORECASE)
# Options that override `.npmrc` files, so that npm installs the whole lock file in its working directory.
NPM_OPTIONS = (
    "--global=false",
    "--location=project",
    "--include=prod",
    "--include=optional",
    "--include=peer",
    "--dry-run=false",
    "--package-lock=true",
    "--package-lock-only=false",
    "--install-strategy=hoisted",
    "--legacy-peer-deps=false",
    "--workspaces=false",
)
GO_FOREIGN = re.compile(r"GO(OS|ARCH|ROOT|BIN|EXPERIMENT|DEBUG|FIPS140|ARM|ARM64|AMD64|386|111MODULE)$")


def python(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip, venv and uv.

    It replaces their configuration files by the settings for package sources and the network that are in them.
    """
    pip = _pip_settings()
    inherited = {name: value for name, value in os.environ.items() if not _is_python_variable(name)}
    inherited |= {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip.items()}
    uv = {**_uv_toml(), **{name: value for name, value in os.environ.items() if UV_KEPT.fullmatch(name)}}
    translated = {
        name: separator.join(pip[key].split()) if separator else pip[key]
        for key, (name, separator) in PIP_FOR_UV.items()
        if key in pip and name not in inherited
    }
    if not UV_INDEXES.isdisjoint(uv):
        translated = {name: value for name, value in translated.items() if not name.startswith("UV_")}
    own = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "PYTHONNOUSERSITE": "1"}
    return {**inherited, **translated, **uv, **own, **extra}


def uv_options() -> list[str]:
    """Return the options that uv takes only on its command line: `--no-index`, if pip's settings have it."""
    no_index = _pip_settings().get("no-index", "").lower()
    own = any(name in UV_INDEXES for name in os.environ) or not UV_INDEXES.isdisjoint(_uv_toml())
    return ["--no-index"] if no_index in {"1", "true", "yes", "on", "y", "t"} and not own else []


def npm(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for npm, whose command needs NPM_OPTIONS."""
    inherited = {
        name: value for name, value in os.environ.items() if not NPM_FOREIGN.match(name) or NPM_KEPT.match(name)
    }
    return {**inherited, **extra}


def go(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for Go, which builds for this machine."""
    system = {"darwin": "darwin"}.get(sys.platform, "linux")
    machine = {"x86_64": "amd64", "amd64": "amd64"}.get(os.uname().machine.lower(), "arm64")
    inherited = {name: value for name, value in os.environ.items() if not GO_FOREIGN.match(name)}
    return {**inherited, "GOOS": system, "GOARCH": machine, "GO111MODULE": "on", **extra}


def _is_python_variable(name: str) -> bool:
    if name.startswith("PYTHON"):
        return name not in PYTHON_KEPT
    return name.startswith(("PIP_", "UV_")) or name in {"__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX"}


def _pip_settings() -> dict[str, str]:
    """Return pip's settings of package sources, from its files and variables. Later ones win, as in pip itself."""
    settings: dict[str, str] = {}
    for file in _pip_files():
        settings |= _pip_file(file)
    for name, value in os.environ.items():
        key = name.removeprefix("PIP_").lower().replace("_", "-")
        if name.startswith("PIP_") and key in PIP_KEPT and value:
            settings[key] = value
    return settings


def _pip_files() -> Iterator[Path]:
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home, mac = Path.home(), sys.platform == "darwin"
    for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path("/Library/Application Support" if mac else folder) / "pip" / "pip.conf"
    yield ETC / "pip.conf"
    if not named or not Path(named).exists():
        yield home / ".pip" / "pip.conf"
        own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        application = home / "Library" / "Application Support" / "pip"
        yield (application if mac and application.is_dir() else own / "pip") / "pip.conf"
    if named:
        yield Path(named)


def _pip_file(file: Path) -> dict[str, str]:
    """Read a `pip.conf`. An unreadable file has no settings here; pip itself would refuse to start."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return {}
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        for key, value in parser.items(section) if parser.has_section(section) else ():
            name = key.lower().replace("_", "-").removeprefix("--")
            if name in PIP_KEPT and value:
                settings[name] = value.strip()
    return settings


def _uv_toml() -> dict[str, str]:
    """Return the package sources in uv's own files, as the corresponding variables."""
    if os.environ.get("UV_NO_CONFIG"):
        return {}
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv" / "uv.toml"
    named = os.environ.get("UV_CONFIG_FILE")
    files = [Path(named)] if named else [ETC / "xdg" / "uv" / "uv.toml", ETC / "uv" / "uv.toml", own]
    variables: dict[str, str] = {}
    for file in files:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        table = document.get("pip")
        for settings in (document, table if isinstance(table, dict) else {}):
            variables |= _uv_variables(settings)
    return variables


def _uv_variables(settings: Mapping[str, Any]) -> dict[str, str]:
    variables = {
        name: separator.join(_values(settings[key]))
        for key, (name, separator) in TOML_FOR_UV.items()
        if settings.get(key) not in (None, False, [], "")
    }
    listed = settings.get("index")
    indexes = [each for each in listed if isinstance(each, dict) and "url" in each] if isinstance(listed, list) else []
    for each in indexes:
        address = f"{each['name']}={each['url']}" if each.get("name") else str(each["url"])
        if each.get("default"):
            variables["UV_DEFAULT_INDEX"] = address
        else:
            variables["UV_INDEX"] = f"{variables.get('UV_INDEX', '')} {address}".strip()
    return variables


def _values(value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["true"] if value else []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]

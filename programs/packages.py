"""Environments in which pip, uv, npm and Go install what we ask for, where we ask for it.

Where packages come from is the user's choice: indexes, mirrors, proxies, certificates and logins are kept, from
variables and from `pip.conf`, `uv.toml` and `.npmrc`. Where they go and which are taken is ours: `PIP_USER`,
`target = …`, `omit[] = optional`, `GOOS` and their like are left out.
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
# pip's options about where packages come from, as `pip.conf` spells them.
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
# What pip calls a setting and uv another, and what stands between several values there.
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
# These win over `.npmrc` files: what is installed is the whole lock, in the folder that npm is started in.
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
    """For pip, venv and uv. Their configuration files are replaced by what those say of indexes and the network."""
    pip = _pip_settings()
    found = {name: value for name, value in os.environ.items() if not _of_python(name)}
    found |= {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip.items()}
    uv = {**_uv_toml(), **{name: value for name, value in os.environ.items() if UV_KEPT.fullmatch(name)}}
    translated = {
        name: between.join(pip[key].split()) if between else pip[key]
        for key, (name, between) in PIP_FOR_UV.items()
        if key in pip and name not in found
    }
    if not UV_INDEXES.isdisjoint(uv):
        translated = {name: value for name, value in translated.items() if not name.startswith("UV_")}
    own = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "PYTHONNOUSERSITE": "1"}
    return {**found, **translated, **uv, **own, **extra}


def uv_options() -> list[str]:
    """What uv takes on its command line alone: that there is no index, only `find-links`."""
    says = _pip_settings().get("no-index", "").lower()
    own = any(name in UV_INDEXES for name in os.environ) or not UV_INDEXES.isdisjoint(_uv_toml())
    return ["--no-index"] if says in {"1", "true", "yes", "on", "y", "t"} and not own else []


def npm(extra: Mapping[str, str]) -> dict[str, str]:
    """For npm, with NPM_OPTIONS behind its command."""
    found = {name: value for name, value in os.environ.items() if not NPM_FOREIGN.match(name) or NPM_KEPT.match(name)}
    return {**found, **extra}


def go(extra: Mapping[str, str]) -> dict[str, str]:
    """For Go, which builds for this machine."""
    system = {"darwin": "darwin"}.get(sys.platform, "linux")
    machine = {"x86_64": "amd64", "amd64": "amd64"}.get(os.uname().machine.lower(), "arm64")
    found = {name: value for name, value in os.environ.items() if not GO_FOREIGN.match(name)}
    return {**found, "GOOS": system, "GOARCH": machine, "GO111MODULE": "on", **extra}


def _of_python(name: str) -> bool:
    if name.startswith("PYTHON"):
        return name not in PYTHON_KEPT
    return name.startswith(("PIP_", "UV_")) or name in {"__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX"}


def _pip_settings() -> dict[str, str]:
    """What pip's files and variables say about where packages come from; the later ones win, as with pip itself."""
    found: dict[str, str] = {}
    for file in _pip_files():
        found |= _pip_file(file)
    for name, value in os.environ.items():
        key = name.removeprefix("PIP_").lower().replace("_", "-")
        if name.startswith("PIP_") and key in PIP_KEPT and value:
            found[key] = value
    return found


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
    """A file that cannot be read says nothing: pip would refuse to start."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return {}
    found: dict[str, str] = {}
    for section in ("global", "install"):
        for key, value in parser.items(section) if parser.has_section(section) else ():
            name = key.lower().replace("_", "-").removeprefix("--")
            if name in PIP_KEPT and value:
                found[name] = value.strip()
    return found


def _uv_toml() -> dict[str, str]:
    """What uv's own files say about where packages come from, as its variables."""
    if os.environ.get("UV_NO_CONFIG"):
        return {}
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv" / "uv.toml"
    named = os.environ.get("UV_CONFIG_FILE")
    files = [Path(named)] if named else [ETC / "xdg" / "uv" / "uv.toml", ETC / "uv" / "uv.toml", own]
    found: dict[str, str] = {}
    for file in files:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        table = document.get("pip")
        for settings in (document, table if isinstance(table, dict) else {}):
            found |= _uv_variables(settings)
    return found


def _uv_variables(settings: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name: between.join(_words(settings[key]))
        for key, (name, between) in TOML_FOR_UV.items()
        if settings.get(key) not in (None, False, [], "")
    }
    listed = settings.get("index")
    indexes = [each for each in listed if isinstance(each, dict) and "url" in each] if isinstance(listed, list) else []
    for each in indexes:
        address = f"{each['name']}={each['url']}" if each.get("name") else str(each["url"])
        if each.get("default"):
            found["UV_DEFAULT_INDEX"] = address
        else:
            found["UV_INDEX"] = f"{found.get('UV_INDEX', '')} {address}".strip()
    return found


def _words(value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["true"] if value else []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]

"""Locks of the state, in a folder or in a bucket: the engine writes one small file for each holder.

Names and contents are those of the engine's own file state backend (pulumi/pulumi, pkg/backend/diy/lock.go).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psutil

from errors import Fix
from storage.backups import Bucket

LOCKS = ".pulumi/locks"
PROJECT = "organization/oracle-net"


@dataclass(frozen=True)
class Lock:
    path: Path
    """The file, or the object's name in the bucket."""
    pid: int
    host: str
    user: str
    since: str

    @property
    def alive(self) -> bool:
        """Return whether the holder may still run; a holder on another machine always may."""
        if self.host != socket.gethostname():
            return True
        try:
            return "pulumi" in psutil.Process(self.pid).name()
        except psutil.NoSuchProcess:
            return False

    def fixes(self, stack: str) -> tuple[Fix, Fix]:
        """Return the fixes for a holder that may still run: wait for it, or the command that frees the lock."""
        if self.host == socket.gethostname():
            return Fix(first="wait for it"), Fix(f"kill {self.pid}", "to end it")
        return Fix(first="wait for it"), Fix(f"pulumi cancel --stack {stack}", "if no update runs on that machine")


def lock_in(path: Path) -> Lock | None:
    """Read a lock from its file; None when the file is incomplete or does not exist."""
    try:
        return _lock(path, path.read_text())
    except OSError:
        return None


def bucket_at(url: str) -> Bucket | None:
    """Return the bucket of a state such as s3://bucket/prefix?endpoint=…; None when the state is in no bucket."""
    address = urlsplit(url)
    if address.scheme != "s3" or not address.netloc:
        return None
    options = {name: values[-1] for name, values in parse_qs(address.query).items()}
    endpoint = options.get("endpoint")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'http' if options.get('disable_https') == 'true' else 'https'}://{endpoint}"
    return Bucket(address.netloc, address.path.strip("/"), endpoint=endpoint, region=options.get("region"))


def folder_at(url: str) -> Path | None:
    """Return the folder of a state such as file:///home/ada/state; None when the state is in no folder."""
    address = urlsplit(url)
    return Path(unquote(address.netloc + address.path)).expanduser() if address.scheme == "file" else None


def held_in(bucket: Bucket, stack: str) -> list[Lock]:
    """Return the stack's locks in a bucket. Raises BackupsError."""
    names = bucket.names(f"{LOCKS}/{PROJECT}/{stack}/")
    texts = [(name, bucket.read_text(name)) for name in names]
    return [lock for name, text in texts if text is not None and (lock := _lock(Path(name), text))]


def state_of(environment: Mapping[str, str]) -> str:
    """Return the state's address; empty when `pulumi login` chose it."""
    return environment.get("PULUMI_BACKEND_URL", "")


def _lock(path: Path, text: str) -> Lock | None:
    try:
        document = json.loads(text)
        return Lock(path, int(document["pid"]), document["hostname"], document["username"], document["timestamp"])
    except (ValueError, KeyError, TypeError):
        return None

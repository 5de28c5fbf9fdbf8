"""The state that all parts of the local cloud share: folder, database, vault, edge, tokens and faults."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.faults import Faults
from localcloud.files import atomic_write
from localcloud.images import ImageStore
from localcloud.repositories import Repositories
from localcloud.request_log import RequestLog
from localcloud.store import Store
from localcloud.vault import Vault

if TYPE_CHECKING:
    from localcloud.edge import Edge


@dataclass(frozen=True)
class Tokens:
    """The tokens that clients must send, and the Cloudflare account's id (32 hexadecimal characters)."""

    digitalocean: str
    cloudflare: str
    account_id: str

    @classmethod
    def at(cls, path: Path, account_id: str | None = None) -> Tokens:
        """Read the tokens from `path`; at the first start, generate them and write the file (0600)."""
        if path.exists():
            document = json.loads(path.read_text())
            return cls(document["digitalocean"], document["cloudflare"], document["accountId"])
        tokens = cls("dop_v1_" + secrets.token_hex(32), secrets.token_urlsafe(36), account_id or secrets.token_hex(16))
        names = {
            "digitalocean": tokens.digitalocean,
            "cloudflare": tokens.cloudflare,
            "accountId": tokens.account_id,
        }
        with atomic_write(path) as fresh:
            fresh.write_text(json.dumps(names, indent=2) + "\n")
        return tokens


@dataclass(frozen=True)
class ToolPaths:
    """The programs that the local cloud starts: Node, the folder that holds miniflare, and PocketBase."""

    node: Path
    node_modules: Path
    pocketbase: Path

    def checked(self) -> ToolPaths:
        """Return absolute paths. Raises ValueError, with the fix, when a path is missing."""
        for name, path in asdict(self).items():
            if not path.exists():
                option = "--" + name.replace("_", "-")
                raise ValueError(f"{option} {path} does not exist. Fix: run `make tools`.")
        return ToolPaths(*(Path(os.path.abspath(path)) for path in asdict(self).values()))


@dataclass
class Cloud:
    """The shared state, passed to both emulated APIs."""

    root: Path
    port: int
    edge_port: int
    store: Store
    vault: Vault
    edge: Edge
    tokens: Tokens
    faults: Faults
    requests: RequestLog
    images: ImageStore
    repositories: Repositories
    tools: ToolPaths

    @property
    def api(self) -> str:
        """The control plane's address."""
        return f"http://127.0.0.1:{self.port}"


def open_cloud(root: Path, port: int, edge_port: int, tools: ToolPaths, account_id: str | None = None) -> Cloud:
    """Open or create everything below `root`. Nothing is started yet."""
    from localcloud.edge import Edge

    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    store = Store(root / "cloud.sqlite3")
    return Cloud(
        root=root,
        port=port,
        edge_port=edge_port,
        store=store,
        vault=Vault.at(root / "vault.key"),
        edge=Edge(root=root, port=edge_port, tools=tools),
        tokens=Tokens.at(root / "tokens.json", account_id),
        faults=Faults(),
        requests=RequestLog(),
        images=ImageStore(root / "images", store),
        repositories=Repositories(store),
        tools=tools,
    )

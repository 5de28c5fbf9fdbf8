"""What is deployed, as bytes and their fingerprints: images, Worker modules, asset sets, and the commits they came
from.

Everything here depends on file names, contents and executable bits only, never on times, owners or where the checkout
is, so that two laptops get the same fingerprint from the same sources.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SCRIPT_LIMIT = (
    10 * 1024 * 1024
)  # Cloudflare Workers, paid plan: 10 MB compressed; uncompressed is checked, so this is strict
ASSET_LIMIT = 25 * 1024 * 1024  # Cloudflare Workers: 25 MiB for one asset
IGNORED = frozenset({".git", ".DS_Store", "node_modules", "__pycache__", "pb_data"})
# Read by wrangler as rules; the provider would upload them as files, so they travel in the asset configuration.
ASSET_RULES = frozenset({"_headers", "_redirects"})


class ArtifactError(Exception):
    """A source that cannot be deployed; one sentence and the next command."""


@dataclass(frozen=True, kw_only=True)
class AssetSet:
    """A staged directory of static files. `directory` is relative to the project, so that every laptop has the same."""

    directory: str
    digest: str
    """SHA-256 over the sorted manifest of path and content hash, hex; rules included."""
    headers: str | None
    redirects: str | None


def pack_image(directory: Path, command: Iterable[str]) -> bytes:
    """The image as a reproducible tar: `config.json` with the command, then `rootfs/`. Raises ArtifactError."""
    require_directory(directory)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        config = json.dumps({"cmd": list(command)}, sort_keys=True).encode()
        tar.addfile(_entry("config.json", len(config), 0o644), io.BytesIO(config))
        for name, path in _files(directory):
            content = path.read_bytes()
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            tar.addfile(_entry(f"rootfs/{name}", len(content), mode), io.BytesIO(content))
    return buffer.getvalue()


def image_digest(packed: bytes) -> str:
    """`sha256:<64 hex>` of a packed image, as an image store names it."""
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"


def read_module(entry: Path) -> str:
    """A Worker's one module as text. Raises ArtifactError when it is missing, too large or not text."""
    try:
        content = entry.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise ArtifactError(f"The Worker's module {entry} does not exist; build it: oracle build") from None
    if len(content) > SCRIPT_LIMIT:
        size, limit = len(content) / 1048576, SCRIPT_LIMIT // 1048576
        raise ArtifactError(
            f"The Worker's module {entry} has {size:.1f} MiB, Cloudflare takes {limit} MiB; make it "
            "smaller, then: oracle build"
        )
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ArtifactError(
            f"The Worker's module {entry} is not UTF-8 text; set `entry` to the bundled module: "
            "pulumi config set --path"
        ) from None


def module_digest(module: str) -> str:
    """SHA-256 of a module's text, hex."""
    return hashlib.sha256(module.encode()).hexdigest()


def stage_assets(source: Path, stage: Path, project: Path) -> AssetSet:
    """Makes `stage` a clean copy of `source` without rule files, swapped in whole. Raises ArtifactError."""
    require_directory(source)
    manifest = dict(_asset_manifest(source))
    digest = _manifest_digest(manifest)
    marker = stage.with_name(f"{stage.name}.digest")
    if not (stage.is_dir() and marker.exists() and marker.read_text() == digest and _staged(stage, manifest)):
        _copy(source, stage, [name for name in manifest if name not in ASSET_RULES])
        marker.write_text(digest)
    return AssetSet(
        directory=stage.relative_to(project).as_posix(),
        digest=digest,
        headers=_rules(source / "_headers"),
        redirects=_rules(source / "_redirects"),
    )


def assets_digest(source: Path) -> str:
    """The digest of a site's files and rules. Raises ArtifactError."""
    require_directory(source)
    return _manifest_digest(dict(_asset_manifest(source)))


def pack_assets(source: Path) -> bytes:
    """The files and rules of a site as a reproducible tar. Raises ArtifactError."""
    require_directory(source)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, _ in _asset_manifest(source):
            content = (source / name).read_bytes()
            tar.addfile(_entry(name, len(content), 0o644), io.BytesIO(content))
    return buffer.getvalue()


def packed_assets_digest(packed: Path) -> str:
    """The digest of the site that was packed, as `stage_assets` gives it. Raises ArtifactError."""
    return _manifest_digest({name: hashlib.sha256(content).hexdigest() for name, content in packed_files(packed)})


def site_files(source: Path) -> Iterator[tuple[str, Path]]:
    """The files of a site and its rules: relative POSIX names and paths, sorted by name."""
    yield from ((name, path) for name, path in _files(source) if name != ".assetsignore")


def unpack_assets(packed: Path, target: Path) -> None:
    """Makes the folder `target` of a packed site. Raises ArtifactError, also for a name outside the folder."""
    for name, content in packed_files(packed):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def packed_files(packed: Path) -> Iterator[tuple[str, bytes]]:
    """The names and contents of a packed site. Raises ArtifactError.

    Not tarfile's own extraction: its safe filter is missing from 3.11 before 3.11.4.
    """
    try:
        with tarfile.open(packed) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.name.startswith("/") or ".." in member.name.split("/"):
                    raise ArtifactError(f"{member.name!r} in it is no file of a site")
                yield member.name, file.read()
    except (tarfile.TarError, EOFError) as error:
        raise ArtifactError(f"it is no packed site: {error}") from None


def source_commit(source: Path) -> str:
    """The commit that last changed `source`, `-dirty` behind it where files differ from it; empty outside a
    repository.
    """
    commit = _git(source, "log", "-1", "--format=%H", "--", ".")
    if not commit:
        return ""
    return f"{commit}-dirty" if _git(source, "status", "--porcelain", "--", ".") else commit


def require_directory(directory: Path) -> None:
    """Raises ArtifactError when there is no such directory or nothing in it."""
    if not directory.is_dir():
        raise ArtifactError(f"The directory {directory} does not exist; build it: oracle build")
    if not any(directory.iterdir()):
        raise ArtifactError(f"The directory {directory} is empty; build it: oracle build")


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, mode
    return entry


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Relative POSIX names and paths, sorted by name. Links are followed, so that no image depends on the laptop."""
    found = []
    for folder, subfolders, names in os.walk(directory, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if name not in IGNORED)
        found += [Path(folder, name) for name in names if name not in IGNORED]
    yield from sorted((path.relative_to(directory).as_posix(), path) for path in found)


def _asset_manifest(source: Path) -> Iterator[tuple[str, str]]:
    for name, path in site_files(source):
        if path.stat().st_size > ASSET_LIMIT:
            raise ArtifactError(
                f"The asset {path} is over Cloudflare's limit of 25 MiB for one file; make it "
                "smaller, then: oracle build"
            )
        yield name, hashlib.sha256(path.read_bytes()).hexdigest()


def _manifest_digest(manifest: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _staged(stage: Path, manifest: dict[str, str]) -> bool:
    """Whether the staged copy still is what the manifest says: somebody may have cleaned it up by halves."""
    return all(name in ASSET_RULES or (stage / name).is_file() for name in manifest)


def _copy(source: Path, stage: Path, names: list[str]) -> None:
    import shutil
    import tempfile

    stage.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{stage.name}-", dir=stage.parent))
    try:
        for name in names:
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
        shutil.rmtree(stage, ignore_errors=True)
        fresh.rename(stage)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _rules(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

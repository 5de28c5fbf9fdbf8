"""Pack and hash artifacts: images and sites; and find the commits of their sources.

The results depend only on file names, contents and executable bits, and not on times, owners or the checkout's path. So
two machines get the same digests from the same sources.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from artifacts.folders import ArtifactError, SourceFile, shown, source_files
from artifacts.sites.files import HEADERS, REDIRECTS, RULES, is_private, read_rules, site_files
from artifacts.sites.types import refuse_clashing_pages, with_content_types
from errors import First, Remedy
from programs import OutOfTime, git

__all__ = [
    "ArtifactError",
    "AssetSet",
    "assets_digest",
    "image_digest",
    "pack_assets",
    "pack_image",
    "packed_assets_digest",
    "source_commit",
    "stage_assets",
    "stage_packed_assets",
    "unpack_assets",
]

GIT_SECONDS = 20.0
ASSET_LIMIT = 25 * 1024 * 1024  # Cloudflare Workers: 25 MiB for one asset
LEFT_OUT = frozenset({".git", ".DS_Store"})
LEFT_OUT_FOLDERS = frozenset({"node_modules", "__pycache__", "pb_data"})
"""Like LEFT_OUT, not part of an image: installed packages, and files that a running service writes."""


@dataclass(frozen=True, kw_only=True)
class AssetSet:
    """A staged directory of static files. `directory` is relative to the project, and so equal on every machine."""

    directory: str
    digest: str
    """SHA-256 in hex over the sorted manifest of paths and content hashes, rules included."""
    headers: str | None
    """The site's own `_headers`."""
    redirects: str | None
    sent_headers: str | None = None
    """`headers` with the rules for content types, as sent to Cloudflare."""
    left_out: tuple[str, ...] = ()
    """Files that are not served although `.assetsignore` does not name them."""


def pack_image(directory: Path, command: Iterable[str]) -> bytes:
    """Pack the image as a reproducible tar: `config.json` with the command, then `rootfs/`. Raises ArtifactError."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        config = json.dumps({"cmd": list(command)}, sort_keys=True).encode()
        tar.addfile(_entry("config.json", len(config), 0o644), io.BytesIO(config))
        for file in source_files(directory, _not_in_an_image):
            content = file.read()
            entry = _entry(f"rootfs/{file.name}", len(content), 0o755 if file.executable else 0o644)
            tar.format = tarfile.USTAR_FORMAT if _is_short(entry) else tarfile.PAX_FORMAT
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def image_digest(packed: bytes) -> str:
    """Return the digest of a packed image, as in an image store: `sha256:<64 hex>`."""
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"


def stage_assets(source: Path, stage: Path, project: Path) -> AssetSet:
    """Copy a site without its rule files to `stage`, atomically. Raises ArtifactError."""
    files, left_out = _site_files(source)
    headers, redirects = read_rules(source)
    manifest = _manifest(files)
    refuse_clashing_pages(_served(manifest))
    return _stage(files, manifest, stage, project, headers=headers, redirects=redirects, left_out=left_out)


def stage_packed_assets(packed: Path, stage: Path, project: Path) -> AssetSet:
    """Unpack a packed site to `stage`. Its names and files were checked when it was packed."""
    with tempfile.TemporaryDirectory() as folder:
        unpack_assets(packed, Path(folder))
        files = source_files(Path(folder), _include_all)
        texts = {file.name: file.read().decode(errors="replace") for file in files if file.name in RULES}
        headers, redirects = texts.get(HEADERS), texts.get(REDIRECTS)
        return _stage(files, _manifest(files), stage, project, headers=headers, redirects=redirects)


def assets_digest(source: Path) -> str:
    """Return the digest of a site's files and rules. Raises ArtifactError."""
    return _manifest_digest(_manifest(_site_files(source)[0]))


def pack_assets(source: Path) -> bytes:
    """Pack the files and rules of a site as a reproducible tar. Raises ArtifactError."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in _site_files(source)[0]:
            content = file.read()
            tar.addfile(_entry(file.name, len(content), 0o644), io.BytesIO(content))
    return buffer.getvalue()


def packed_assets_digest(packed: Path) -> str:
    """Return the digest of a packed site, the same as that of `stage_assets`. Raises ArtifactError."""
    return _manifest_digest({name: hashlib.sha256(content).hexdigest() for name, content in packed_files(packed)})


def unpack_assets(packed: Path, target: Path) -> None:
    """Unpack a packed site to the folder `target`. Raises ArtifactError, also for a name outside the folder."""
    for name, content in packed_files(packed):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def packed_files(packed: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of a packed site. Raises ArtifactError.

    tarfile's own extraction is not used, because its safe filter is missing from Python 3.11 before 3.11.4.
    """
    try:
        with tarfile.open(packed) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.name.startswith("/") or ".." in member.name.split("/"):
                    raise ArtifactError(f"{member.name!r} in the packed site {shown(packed)} is not a file of a site.")
                yield member.name, file.read()
    except (tarfile.TarError, EOFError) as error:
        raise ArtifactError(f"{shown(packed)} is not a packed site.", cause=str(error)) from None


def source_commit(source: Path) -> str:
    """Return the commit that last changed `source`, with `-dirty` if files differ from it; empty without repository."""
    commit = _git(source, "rev-list", "-1", "HEAD", "--", ".")
    if not commit:
        return ""
    status = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none", "--", ".")
    return f"{commit}-dirty" if _git(source, *status) else commit


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, mode
    return entry


def _is_short(entry: tarfile.TarInfo) -> bool:
    """Return whether the entry's name fits the older tar format, which images use where possible."""
    try:
        entry.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        return False
    return True


def _not_in_an_image(name: str, folder: bool) -> bool:
    last = name.rpartition("/")[2]
    return last in LEFT_OUT or is_private(last) or (folder and last in LEFT_OUT_FOLDERS)


def _include_all(_name: str, _folder: bool) -> bool:
    return False


def _site_files(source: Path) -> tuple[list[SourceFile], tuple[str, ...]]:
    """Return a site's files and rules, and the names of those left out without an `.assetsignore` rule.

    Raises ArtifactError, also for a file over Cloudflare's limit.
    """
    files, left_out = site_files(source)
    for file in files:
        if file.size > ASSET_LIMIT:
            raise ArtifactError(
                f"The asset {shown(file.path)} is larger than Cloudflare's limit of 25 MiB for one file.",
                First("reduce its size", Remedy.BUILD),
            )
    return files, left_out


def _manifest(files: Iterable[SourceFile]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read()).hexdigest() for file in files}


def _served(manifest: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in manifest.items() if name not in RULES}


def _stage(
    files: list[SourceFile],
    manifest: Mapping[str, str],
    stage: Path,
    project: Path,
    *,
    headers: str | None,
    redirects: str | None,
    left_out: tuple[str, ...] = (),
) -> AssetSet:
    served, digest = _served(manifest), _manifest_digest(manifest)
    marker = stage.with_name(f"{stage.name}.digest")
    if not (stage.is_dir() and marker.exists() and marker.read_text() == digest and _staged(stage, served)):
        _copy(files, served, stage)
        marker.write_text(digest)
    return AssetSet(
        directory=stage.relative_to(project).as_posix(),
        digest=digest,
        headers=headers,
        redirects=redirects,
        sent_headers=with_content_types(served, headers),
        left_out=left_out,
    )


def _manifest_digest(manifest: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _staged(stage: Path, served: Mapping[str, str]) -> bool:
    """Return whether the staged copy still has all files of the manifest: somebody may have deleted some."""
    return all((stage / name).is_file() for name in served)


def _copy(files: list[SourceFile], served: Mapping[str, str], stage: Path) -> None:
    import shutil

    stage.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{stage.name}-", dir=stage.parent))
    try:
        for file in files:
            if file.name in served:
                content = file.read()
                if hashlib.sha256(content).hexdigest() != served[file.name]:
                    raise ArtifactError(
                        f"{shown(file.path)} changed while it was read.",
                        First("wait until its build has ended", Remedy.RETRY),
                    )
                target = fresh / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        shutil.rmtree(stage, ignore_errors=True)
        fresh.rename(stage)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = git.git(folder, *arguments, seconds=GIT_SECONDS)
    except (OSError, OutOfTime):
        return ""
    return done.text.strip() if done.status == 0 else ""

"""Content types of a site's files, as header rules: by name alone, whatever machine uploads them.

Cloudflare keeps one content type for equal bytes, the one of their first upload, and the provider takes it from the
uploading machine's table. Rules in `_headers` decide over both. Only the names in HTML files' addresses are not known
beforehand (one of them answers for every unknown path), so pages have no rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from artifacts.folders import ArtifactError
from site_rules import HEADER_LINE, HEADER_RULES, HeaderRule, header_rules

TEXT = "; charset=utf-8"
PAGE = ".html"
# As wrangler sends them. A name that is not here is served without a content type, as wrangler does.
TYPES = {
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".apng": "image/apng",
    ".apk": "application/vnd.android.package-archive",
    ".atom": "application/atom+xml",
    ".avi": "video/x-msvideo",
    ".avif": "image/avif",
    ".bin": "application/octet-stream",
    ".bmp": "image/bmp",
    ".bz2": "application/x-bzip2",
    ".cjs": "application/node",
    ".css": "text/css" + TEXT,
    ".csv": "text/csv" + TEXT,
    ".deb": "application/octet-stream",
    ".dmg": "application/octet-stream",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eot": "application/vnd.ms-fontobject",
    ".epub": "application/epub+zip",
    ".exe": "application/octet-stream",
    ".flac": "audio/x-flac",
    ".geojson": "application/geo+json",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".htm": "text/html" + TEXT,
    ".html": "text/html" + TEXT,
    ".ico": "image/vnd.microsoft.icon",
    ".ics": "text/calendar" + TEXT,
    ".iso": "application/octet-stream",
    ".jar": "application/java-archive",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript" + TEXT,
    ".json": "application/json",
    ".json5": "application/json5",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".log": "text/plain" + TEXT,
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4v": "video/x-m4v",
    ".map": "application/json",
    ".markdown": "text/markdown" + TEXT,
    ".md": "text/markdown" + TEXT,
    ".mid": "audio/midi",
    ".mjs": "text/javascript" + TEXT,
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".mpeg": "video/mpeg",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rss": "application/rss+xml",
    ".rtf": "application/rtf",
    ".stl": "model/stl",
    ".svg": "image/svg+xml",
    ".swf": "application/x-shockwave-flash",
    ".tar": "application/x-tar",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".toml": "application/toml",
    ".ts": "video/mp2t",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".txt": "text/plain" + TEXT,
    ".usdz": "model/vnd.usdz+zip",
    ".vtt": "text/vtt" + TEXT,
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".xsl": "application/xml",
    ".yaml": "text/yaml" + TEXT,
    ".yml": "text/yaml" + TEXT,
    ".zip": "application/zip",
}
# Known to the provider itself (Go's mime package), so that they mean the same on every machine.
EVERYWHERE = frozenset(
    ".avif .css .gif .htm .html .jpeg .jpg .js .json .mjs .pdf .png .svg .wasm .webp .xml".split()  # noqa: SIM905
)
UNSET = "! Content-Type"
Rules = dict[str, str | None]
"""Paths as they stand in `_headers`, and the content type of what is there; None where it has none."""


def content_type(name: str) -> str | None:
    """The content type of a file of this name; None where it is served without one."""
    return TYPES.get(_ending(name))


def with_content_types(files: Mapping[str, str], own: str | None) -> str | None:
    """The site's own header rules and those of its content types, as one `_headers`; None where there are none.

    `files` are the site's files with their digests, its rules left out. The site's own rules decide. One rule is made
    for each file while they fit; then only for those that are not served right anyway; then for all of one ending in a
    folder; then for all of one ending. Raises ArtifactError.
    """
    rules = header_rules(own or "")
    ours = _fitting(files, HEADER_RULES - len(rules))
    lines = _own_lines(own or "", rules, ours)
    made = [line for path, kind in ours.items() for line in (path, *(f"  {each}" for each in _headers(kind)))]
    return "\n".join([*made, *lines]) if made or own else None


def refuse_clashing_pages(files: Mapping[str, str]) -> None:
    """Raises ArtifactError for a page with the bytes of another file: no rule could give its type back."""
    clashing = _clashing(files)
    for page in sorted(name for name in clashing if _ending(name) == PAGE):
        other = min(name for name in clashing if files[name] == files[page] and _ending(name) != PAGE)
        raise ArtifactError(
            f"{page} and {other} have the same bytes, and Cloudflare keeps one content type for them, so the page "
            "could be served as something else; end one of them with one more line, then: oracle build"
        )


def _fitting(files: Mapping[str, str], room: int) -> Rules:
    others = [name for name in files if _ending(name) != PAGE]
    clashing = _clashing(files)
    unsure = [name for name in others if name in clashing or _ending(name) not in EVERYWHERE | {""}]
    for rules in (_each(others), _each(unsure), _by_ending(unsure, True), _by_ending(unsure, False)):
        if len(rules) <= room:
            return rules
    raise ArtifactError(
        f"The site has files with {len({_ending(name) for name in unsure})} endings, and its _headers leaves room for "
        f"{max(room, 0)} rules of content types; shorten its _headers, then: oracle build"
    )


def _each(names: Iterable[str]) -> Rules:
    return {path: content_type(name) for name in names if len(path := _address(name)) <= HEADER_LINE}


def _by_ending(names: Iterable[str], by_folder: bool) -> Rules:
    """One rule for all files of an ending, or for those of a folder at the top; files without an ending have their
    own.
    """
    rules: Rules = {}
    for name in names:
        top = name.partition("/")[0] if "/" in name else ""
        suffix = PurePosixPath(name).suffix
        if not suffix or (by_folder and not top):
            rules[_address(name)] = content_type(name)
        else:
            folder = f"{_address(top)}/" if by_folder else "/"
            rules[f"{folder}*{quote(suffix)}"] = content_type(name)
    return rules


def _own_lines(own: str, rules: list[HeaderRule], ours: Rules) -> Iterator[str]:
    """The site's own lines. A content type in them replaces ours, to which it would be appended; a rule for the very
    path of one of ours takes that in, which it would displace.
    """
    paths = {unquote(path): path for path in ours}
    added: dict[int, list[str]] = {}
    for rule in rules:
        path = paths.get(unquote(rule.path), "")
        if "content-type" in rule.set:
            added[rule.line] = [UNSET]
        elif path in ours and "content-type" not in rule.unset:
            added[rule.line] = _headers(ours[path])
        ours.pop(path, None)
    return (
        each
        for number, line in enumerate(own.split("\n") if own else [], start=1)
        for each in (line, *(f"  {more}" for more in added.get(number, ())))
    )


def _headers(kind: str | None) -> list[str]:
    return [UNSET, f"Content-Type: {kind}"] if kind else [UNSET]


def _clashing(files: Mapping[str, str]) -> set[str]:
    """The files whose bytes another file has too, under a name of another content type."""
    kinds: dict[str, set[str | None]] = {}
    for name, digest in files.items():
        kinds.setdefault(digest, set()).add(content_type(name))
    return {name for name, digest in files.items() if len(kinds[digest]) > 1}


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _address(name: str) -> str:
    """The path at which Cloudflare serves a file: each part as JavaScript's encodeURIComponent has it."""
    return "/" + "/".join(quote(part, safe="!'()*~") for part in name.split("/"))

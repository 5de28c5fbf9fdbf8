"""Content types of a site's files as header rules, so that they depend only on the files' names.

Cloudflare stores one content type for equal bytes, that of their first upload, and the provider takes it from a table
on the uploading machine. Rules in `_headers` override both. HTML pages have no rules, because their addresses are not
known in advance: one of them may answer for every unknown path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from artifacts.folders import ArtifactError
from errors import First, Remedy
from site_rules import HEADER_LINE, HEADER_RULES, HeaderRule, header_rules

TEXT = "; charset=utf-8"
PAGE = ".html"
# The same types as in wrangler. As in wrangler, other files are served without a content type.
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
# Types that the provider itself knows (Go's mime package), so that they are the same on every machine.
EVERYWHERE = frozenset(
    ".avif .css .gif .htm .html .jpeg .jpg .js .json .mjs .pdf .png .svg .wasm .webp .xml".split()  # noqa: SIM905
)
UNSET = "! Content-Type"
Rules = dict[str, str | None]
"""Content types by path in `_headers`; None is no content type."""


def content_type(name: str) -> str | None:
    """Return the content type of a file of this name; None if it is served without one."""
    return TYPES.get(_ending(name))


def with_content_types(files: Mapping[str, str], own: str | None) -> str | None:
    """Return a `_headers` with the site's own rules and those for its content types; None if there are no rules.

    `files` has the digest of each file of the site, without rule files. The site's own rules take precedence. There is
    a rule for each file if they fit into Cloudflare's limit. Otherwise there are rules only for files whose type would
    be unreliable; or one for each file ending in each top folder; or one for each ending. Raises ArtifactError.
    """
    rules = header_rules(own or "")
    ours = _fitting(files, HEADER_RULES - len(rules))
    lines = _own_lines(own or "", rules, ours)
    made = [line for path, kind in ours.items() for line in (path, *(f"  {each}" for each in _headers(kind)))]
    return "\n".join([*made, *lines]) if made or own else None


def refuse_clashing_pages(files: Mapping[str, str]) -> None:
    """Raise ArtifactError for a page with the same bytes as another file, because pages have no rule for their type."""
    clashing = _clashing(files)
    for page in sorted(name for name in clashing if _ending(name) == PAGE):
        other = min(name for name in clashing if files[name] == files[page] and _ending(name) != PAGE)
        raise ArtifactError(
            f"{page} and {other} have the same bytes, for which Cloudflare stores one content type, so the page could "
            "be served with the wrong one.",
            First("add a line to the end of one of them", Remedy.BUILD),
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
        f"{max(room, 0)} rules of content types.",
        First("shorten its _headers", Remedy.BUILD),
    )


def _each(names: Iterable[str]) -> Rules:
    return {path: content_type(name) for name in names if len(path := _address(name)) <= HEADER_LINE}


def _by_ending(names: Iterable[str], by_folder: bool) -> Rules:
    """Make one rule for all files of an ending, or for each top folder's. Files without an ending get their own."""
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
    """Return the site's own lines, merged with our rules.

    Where a rule of the site sets a content type, ours is unset first, or Cloudflare would append one to the other. A
    rule of the site for the same path as one of ours would replace ours, so our headers are added to it.
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
    """Return the files with the same bytes as another file of another content type."""
    kinds: dict[str, set[str | None]] = {}
    for name, digest in files.items():
        kinds.setdefault(digest, set()).add(content_type(name))
    return {name for name, digest in files.items() if len(kinds[digest]) > 1}


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _address(name: str) -> str:
    """Return the path of a file at Cloudflare: each part encoded as by JavaScript's encodeURIComponent."""
    return "/" + "/".join(quote(part, safe="!'()*~") for part in name.split("/"))

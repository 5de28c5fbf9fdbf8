"""Uploads of scripts: multipart forms with a part `metadata` and a part for each module, or one raw script."""

from __future__ import annotations

import gzip
import json
import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from localcloud.cloudflare.errors import ApiError, bad_body, invalid

log = logging.getLogger(__name__)
Json = Any
LARGEST_SCRIPT = 10 * 1024 * 1024
LARGEST_PART = 64 * 1024 * 1024
MOST_PARTS = 2000
OLDEST_DATE = "2021-11-02"
ESM = "application/javascript+module"
KINDS = {
    "application/javascript+module": "ESModule",
    "text/javascript+module": "ESModule",
    "application/javascript": "CommonJS",
    "text/javascript": "CommonJS",
    "text/plain": "Text",
    "application/octet-stream": "Data",
    "application/wasm": "CompiledWasm",
    "text/x-python": "PythonModule",
}
FILES = {"files", "files[]"}  # the official SDKs call the part of every module so; its file name is the module
IGNORED = {"application/source-map"}
METADATA = {
    "annotations", "assets", "bindings", "body_part", "cache_options", "capnp_schema", "code_update_strategy",
    "compatibility_date", "compatibility_flags", "containers", "exports",
    "keep_assets", "keep_bindings", "keep_vars", "limits", "logpush",
    "main_module", "migrations", "observability", "placement", "tags", "tail_consumers", "streaming_tail_consumers",
    "usage_model", "package_dependencies",
}  # fmt: skip
REFUSED = {"containers", "exports"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """One uploaded module."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A form: its metadata and the modules, the main one first. Source maps are left out."""

    metadata: dict[str, Json] = field(repr=False)
    modules: list[Uploaded]

    @property
    def classic(self) -> bool:
        """Return whether it has service-worker syntax: one script, no modules."""
        return "main_module" not in self.metadata and bool(self.modules)


async def read(request: Request) -> Upload:
    """Read and check the upload of a request. Raises ApiError with the problem."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in ("application/javascript", "text/javascript"):
        script = Uploaded(name="script", content_type="application/javascript", content=await request.body())
        return checked(Upload(metadata={"body_part": "script"}, modules=[script]))
    if kind != "multipart/form-data":
        raise ApiError(415, 10001, "Content-Type must be multipart/form-data or application/javascript.")
    metadata, files = await form(request, "metadata")
    return checked(ordered(metadata, files))


async def form(request: Request, key: str) -> tuple[dict[str, Json], list[Uploaded]]:
    """Parse a multipart body: the JSON object of the part `key`, and all other parts."""
    try:
        async with request.form(max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=LARGEST_PART) as parts:
            items = [(name, await _part(name, part)) for name, part in parts.multi_items()]
    except HTTPException as error:
        raise bad_body(str(error.detail)) from None
    wanted = next((part.content for name, part in items if name == key), None)
    if wanted is None:
        raise bad_body(f"the part {key} is missing")
    try:
        found = json.loads(wanted)
    except ValueError:
        raise bad_body(f"{key} is not JSON") from None
    if not isinstance(found, dict):
        raise bad_body(f"{key} is not a JSON object")
    return found, [part for name, part in items if name != key]


async def _part(name: str, part: UploadFile | str) -> Uploaded:
    if isinstance(part, str):
        return Uploaded(name=name, content_type="text/plain", content=part.encode())
    kind = (part.content_type or "application/octet-stream").split(";")[0].strip().lower()
    module = part.filename or name if name in FILES else name
    return Uploaded(name=module, content_type=kind, content=await part.read())


def ordered(metadata: dict[str, Json], files: list[Uploaded]) -> Upload:
    """Put the main module first and drop source maps. Raises ApiError when the main module is missing."""
    main = metadata.get("main_module") or metadata.get("body_part")
    modules = [file for file in files if file.content_type not in IGNORED]
    if main is None:
        if modules:
            raise invalid("metadata must have main_module or body_part when a script is uploaded")
        return Upload(metadata=metadata, modules=[])
    first = [module for module in modules if module.name == main]
    if not first:
        raise invalid(f"No such module: {main!r} is named in the metadata and has no part of its own")
    others = [module for module in modules if module.name != main]
    return Upload(metadata=metadata, modules=[*first, *others])


def checked(upload: Upload) -> Upload:
    """Check an upload against Cloudflare's rules. Raises ApiError with the broken one."""
    for check in (_keys, _kinds, _size, _date, _flags):
        check(upload)
    return upload


def _keys(upload: Upload) -> None:
    if unknown := sorted(set(upload.metadata) - METADATA):
        log.warning("An upload's metadata has keys that are not known here, and change nothing: %s", ", ".join(unknown))
    if refused := sorted(key for key in REFUSED if upload.metadata.get(key)):
        raise invalid(f"not supported here: {', '.join(refused)}")
    if not upload.modules and not upload.metadata.get("assets") and not upload.metadata.get("keep_assets"):
        raise ApiError(400, 10021, "Uncaught Error: The uploaded script has no content.")


def _kinds(upload: Upload) -> None:
    names = [module.name for module in upload.modules]
    if twice := {name for name in names if names.count(name) > 1}:
        raise invalid(f"module {min(twice)} is uploaded twice")
    for module in upload.modules:
        if module.content_type not in KINDS:
            raise invalid(f"module {module.name} has the unknown content type {module.content_type}")
    if upload.classic and len(upload.modules) > 1:
        raise invalid("a service-worker script cannot have further modules")


def _size(upload: Upload) -> None:
    packed = sum(len(gzip.compress(module.content, 6)) for module in upload.modules)
    if packed > LARGEST_SCRIPT:
        raise ApiError(413, 10027, f"Your Worker exceeded the size limit of {LARGEST_SCRIPT // 1024**2} MB.")


def _date(upload: Upload) -> None:
    check_date(upload.metadata.get("compatibility_date") or "")


def check_date(text: Json) -> None:
    """Check a compatibility date; a missing one passes. Raises ApiError when it is malformed or after today."""
    if not text:
        return
    try:
        day = date.fromisoformat(text) if DATE.fullmatch(text) else None
    except (TypeError, ValueError):
        day = None
    if day is None:
        raise invalid(f"Invalid compatibility date: {text!r}; write it as YYYY-MM-DD")
    if day > datetime.now(UTC).date():
        raise invalid(f"Can't set compatibility date in the future: {text}")


def _flags(upload: Upload) -> None:
    flags = upload.metadata.get("compatibility_flags") or []
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        raise invalid("compatibility_flags must be a list of texts")

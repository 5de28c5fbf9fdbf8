"""The official plugin's checks of a WorkersScript beyond single values: conflicting sources, and wrong hashes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from offline_plugins.resource import UNKNOWN, Failure, Props, ProviderError


def script_failures(inputs: Props, name: str) -> list[Failure]:
    """Return the failures of a Worker's inputs; `name` is the resource's. Raises ProviderError if it has no content."""
    if not any(key in inputs for key in ("content", "contentFile", "assets")):
        raise ProviderError(
            "Missing Attribute Configuration: At least one of these attributes must be configured: "
            "[content,content_file,assets]"
        )
    reasons = [*_sources(inputs, name), *_hash(inputs, name), *_assets(inputs.get("assets"), name)]
    return [Failure(reason) for reason in reasons]


def _sources(inputs: Props, name: str) -> list[str]:
    if "contentFile" not in inputs:
        return []
    clashes = []
    if "content" in inputs:
        clashes = [
            _clash("These attributes cannot be configured together: [content,content_file]", name, "content"),
            _clash('Attribute "content_file" cannot be specified when "content" is specified', name, "content"),
            _clash('Attribute "content" cannot be specified when "content_file" is specified', name, "contentFile"),
        ]
    if "contentSha256" not in inputs:
        reason = 'Attribute "content_sha256" must be specified when "content_file" is specified'
        clashes.append(_clash(reason, name, "contentFile"))
    return clashes


def _clash(reason: str, name: str, path: str) -> str:
    return f"Invalid Attribute Combination. {reason}. Examine values at '{name}.{path}'."


def _hash(inputs: Props, name: str) -> list[str]:
    expected = inputs.get("contentSha256")
    content, path = inputs.get("content"), inputs.get("contentFile")
    if expected is None or any(value is UNKNOWN for value in (expected, content, path)):
        return []
    at = f"Examine values at '{name}.contentSha256'."
    actual, source = "", ""
    if content is not None:
        actual, source = hashlib.sha256(content.encode()).hexdigest(), "content"
    elif path is not None:
        source = f"content_file ({path})"
        try:
            actual = hashlib.sha256(content_path(path).read_bytes()).hexdigest()
        except OSError as error:
            cause = f"failed to open file: open {path}: {(error.strerror or str(error)).lower()}"
            return [f"Hash Calculation Error. Failed to calculate SHA-256 hash of file '{path}': {cause}. {at}"]
    if expected == actual:
        return []
    mismatch = f"The provided SHA-256 hash '{expected}' does not match the actual hash '{actual}' of {source}"
    return [f"SHA-256 Hash Mismatch. {mismatch}. {at}"]


def content_path(path: str) -> Path:
    """Return a content file's path: relative to the working directory, or to the home directory for `~/`."""
    return Path(os.path.expanduser(path) if path.startswith("~/") else path)


def _assets(assets: object, name: str) -> list[str]:
    if not isinstance(assets, dict):
        return []
    found = []
    if "directory" in assets and "jwt" in assets:
        reason = 'Attribute "assets.jwt" cannot be specified when "assets.directory" is specified'
        found.append(_clash(reason, name, "assets.directory"))
    config = assets.get("config")
    first = config.get("runWorkerFirst") if isinstance(config, dict) else None
    if first is None or first is UNKNOWN or isinstance(first, bool):
        return found
    if isinstance(first, list) and all(item is UNKNOWN or isinstance(item, str) for item in first):
        return found
    found.append(
        "Invalid type for run_worker_first. Expected boolean or list/tuple of strings, got "
        f"basetypes.{_framework_type(first)}. Examine values at '{name}.assets.config.runWorkerFirst'."
    )
    return found


def _framework_type(value: object) -> str:
    """Return the Terraform framework's name of a value's type."""
    if isinstance(value, str):
        return "StringType"
    if isinstance(value, dict):
        return "ObjectType"
    return "TupleType" if isinstance(value, list) else "NumberType"

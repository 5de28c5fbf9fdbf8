"""The provider protocol's generated modules, without the rest of the SDK.

`import pulumi.runtime.proto` runs `pulumi/__init__.py`, which costs a second of CPU; three plugins start on every run.
So the modules are loaded from the SDK's own files below an empty package, and nothing else of the SDK is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_PACKAGE = "offline_plugins._proto"


def _bare_package() -> None:
    """Register the package that the SDK's generated files are loaded into."""
    package_spec = importlib.util.find_spec("pulumi")  # finds a top-level package without running it
    if package_spec is None or package_spec.origin is None:
        raise ImportError("The Pulumi SDK is not installed in this environment. Fix: run `make tools`.")
    package = ModuleType(_PACKAGE)
    package.__path__ = [str(Path(package_spec.origin).parent / "runtime" / "proto")]
    sys.modules[_PACKAGE] = package


if TYPE_CHECKING:
    from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
else:
    _bare_package()
    engine_pb2 = importlib.import_module(_PACKAGE + ".engine_pb2")
    plugin_pb2 = importlib.import_module(_PACKAGE + ".plugin_pb2")
    provider_pb2 = importlib.import_module(_PACKAGE + ".provider_pb2")
    provider_pb2_grpc = importlib.import_module(_PACKAGE + ".provider_pb2_grpc")
    status_pb2 = importlib.import_module(_PACKAGE + ".status_pb2")

__all__ = ["engine_pb2", "plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]

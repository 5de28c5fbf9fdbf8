"""Lazy imports of the provider SDKs.

The generated SDK packages define thousands of classes (10 MB of source for Cloudflare alone), and an import runs them
all, which takes seconds on each `pulumi up`. `lazily` imports a package without running its `__init__`, imports a
resource's module on first use, and compiles only the used classes of the two large modules of argument and result
types.

This depends on one property of the generated files: a header, then classes that start in the first column. A file of
another form is imported as usual, so that a newer SDK can be slower but not wrong.

A resource's module names types in quotes. It gets only those that its properties return: pulumi/_types.py looks up no
others (`_raw_return_hints`). The rest are in the hints of parameters, for editors: half of all types are the dictionary
form of another type (`AppSpecArgsDict`), which nothing reads while a program runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

TYPE_MODULES = ("_inputs", "outputs")
# The files are megabytes: `^` instead of `\n` takes three times as long, text instead of bytes twice as long.
CLASS = re.compile(rb"\n(?:@pulumi\.\w+\n)?class (\w+)[(:]")
REFERENCE = re.compile(rb"'(\w+)'")
RETURNED = re.compile(rb"\n    def \w+\(self\) -> (.*):\n")
EXPORTED = re.compile(rb"\n__all__ = \[(.*?)\n\]", re.DOTALL)


class TypesModule(ModuleType):
    """A module of types whose classes are compiled on first use."""

    __all__: tuple[str, ...] = ()  # `from ._inputs import *` must not compile all of them

    def __init__(self, name: str, path: Path, source: bytes, classes: Mapping[str, slice]) -> None:
        super().__init__(name)
        self.__file__ = str(path)
        self.__package__ = name.rpartition(".")[0]
        self._source = source
        self._names = frozenset(classes)
        self._classes = dict(classes)
        self._header_ran = False

    def defines(self, name: str) -> bool:
        """Return whether the file has a class of that name, compiled or not."""
        return name in self._names

    def __getattr__(self, name: str) -> Any:
        place = self._classes.pop(name, None)
        if place is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        source = self._source[place]
        self._run_header()
        exec(compile(source, str(self.__file__), "exec"), self.__dict__)
        # Types name each other in quotes, and the SDK looks up such names in the module's dictionary.
        for reference in _quoted_names(source) & self._classes.keys():
            getattr(self, reference)
        return self.__dict__[name]

    def _run_header(self) -> None:
        """Run the header before the first class, once."""
        if not self._header_ran:
            self._header_ran = True
            header = self._source[: CLASS.search(self._source).start() + 1]  # type: ignore[union-attr]
            exec(compile(header.replace(b"__all__", b"_exported"), str(self.__file__), "exec"), self.__dict__)


def lazily(package: str) -> ModuleType:
    """Import the package with lazy resources and types. Falls back to a full import."""
    if package in sys.modules:
        return sys.modules[package]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return importlib.import_module(package)
    folder = Path(spec.origin).parent
    types = {
        name: _types_module(package, folder / f"{name}.py") for name in TYPE_MODULES if (folder / f"{name}.py").exists()
    }
    if any(module is None for module in types.values()):
        return importlib.import_module(package)
    lazy = importlib.util.module_from_spec(spec)
    sys.modules[package] = lazy
    for name, module in types.items():
        assert module is not None
        sys.modules[module.__name__] = module
        setattr(lazy, name, module)
    lazy.__getattr__ = _resolver(package, types.get("_inputs"))  # type: ignore[method-assign]
    return lazy


def _types_module(package: str, path: Path) -> TypesModule | None:
    """Return the lazy module; None if the file is not a header with the names of all classes, then these classes."""
    source = path.read_bytes()
    starts = list(CLASS.finditer(source))
    exported = EXPORTED.search(source)
    if not exported or sorted(REFERENCE.findall(exported[1])) != sorted(start[1] for start in starts):
        return None
    ends = [start.start() + 1 for start in starts[1:]] + [len(source)]
    places = (slice(start.start() + 1, end) for start, end in zip(starts, ends, strict=True))
    classes = {start[1].decode(): place for start, place in zip(starts, places, strict=True)}
    return TypesModule(f"{package}.{path.stem}", path, source, classes)


def _resolver(package: str, inputs: TypesModule | None) -> Any:
    def resolve(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if inputs is not None and inputs.defines(name):
            return getattr(inputs, name)
        try:
            module = importlib.import_module(f"{package}.{_module_of(name)}")
        except ModuleNotFoundError:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
        if inputs is not None:
            _set_types(module, inputs)
        return getattr(module, name)

    return resolve


def _module_of(resource: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource).lower()


def _set_types(module: ModuleType, inputs: TypesModule) -> None:
    """Set the types that the module's properties return, which `from ._inputs import *` would have imported."""
    for returned in RETURNED.findall(Path(str(module.__file__)).read_bytes()):
        for name in filter(inputs.defines, _quoted_names(returned)):
            module.__dict__[name] = getattr(inputs, name)


def _quoted_names(source: bytes) -> set[str]:
    """Return the names in quotes."""
    return {name.decode() for name in REFERENCE.findall(source)}

"""The lazy import of an SDK changes only the time, never the result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import lazy_sdk

PROJECT = Path(__file__).parents[2]
DECLARE = """
import json, sys
import lazy_sdk
if sys.argv[1] == "whole":
    import importlib
    lazy_sdk.lazily = importlib.import_module
from tests.unit import program
run = program.run(program.config_of("local"))
listed = sorted((each.type, each.name, program.plain(dict(each.inputs))) for each in run.resources)
print(json.dumps([listed, len(sys.modules)], sort_keys=True))
"""


def declared(how: str) -> tuple[list[object], int]:
    command = [sys.executable, "-c", DECLARE, how]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    resources, modules = json.loads(done.stdout)
    return resources, modules


@pytest.mark.slow
def test_the_program_declares_the_same_with_complete_imports() -> None:
    lazy, lazy_modules = declared("lazy")
    whole, whole_modules = declared("whole")
    for resource in [*lazy, *whole]:
        assert isinstance(resource, list)
        resource[2].pop("__provider", None)
    assert lazy == whole
    assert lazy_modules < whole_modules - 100


def test_a_package_of_another_form_is_imported_completely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "odd_sdk"
    package.mkdir()
    (package / "__init__.py").write_text("WHOLE = True\nfrom ._inputs import *\n")
    (package / "_inputs.py").write_text("__all__ = ['A']\nclass A:\n    pass\nclass NotListed:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert lazy_sdk.lazily("odd_sdk").WHOLE is True


def test_an_unknown_name_is_an_attribute_error() -> None:
    package = lazy_sdk.lazily("pulumi_random")
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchThing'"):
        _ = package.NoSuchThing


HOST = """
import importlib, re, sys
from pathlib import Path
import pulumi.dynamic
folders = "components", "lifecycle"
texts = {f"{folder}.{path.stem}": path.read_text() for folder in folders for path in Path(folder).glob("*.py")}
served = [name for name, text in texts.items() if re.search(r"class \\w+Provider\\(Provider\\)", text)]
for name in served:
    importlib.import_module(name)
print(len(served), sorted({"pydantic", "settings", "pulumi_cloudflare", "pulumi_digitalocean"} & set(sys.modules)))
"""


def test_the_host_of_dynamic_providers_imports_no_sdk_and_no_settings() -> None:
    """Each engine run starts one host, and each of these imports costs as much as all others together."""
    done = subprocess.run([sys.executable, "-c", HOST], cwd=PROJECT, capture_output=True, text=True, check=False)
    served, _, costly = done.stdout.partition(" ")
    assert int(served) > 4, done.stderr
    assert costly.strip() == "[]"

"""A compatibility date that the local workerd does not know yet: its newest date is used, with a warning."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.engine import compatibility
from cli.engine.compatibility import newest_date, warnings
from settings import AssetsSettings
from settings.errors import problems
from toolchain import tools

TODAY = datetime.now(UTC).date()


def modules(folder: Path, version: str) -> Path:
    (folder / "workerd").mkdir(parents=True)
    (folder / "workerd" / "package.json").write_text(json.dumps({"version": version}))
    return folder


def test_the_version_of_workerd_names_its_newest_date(tmp_path: Path) -> None:
    assert newest_date(modules(tmp_path / "a", "1.20260730.1")) == "2026-07-30"
    assert newest_date(modules(tmp_path / "b", "2.0.0")) is None
    assert newest_date(tmp_path / "nowhere") is None
    assert newest_date(tools.locate().node_modules)


def stack(local: bool, **dates: str) -> SimpleNamespace:
    workers = {name: SimpleNamespace(compatibility_date=date) for name, date in dates.items()}
    return SimpleNamespace(on_local_cloud=local, settings=lambda: SimpleNamespace(workers=workers))


def test_a_worker_with_a_later_date_causes_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    located = SimpleNamespace(node_modules=modules(tmp_path, "1.20250101.0"))
    monkeypatch.setattr(compatibility, "located_tools", lambda: located)
    dates = {"api": TODAY.isoformat(), "web": "2025-01-01"}
    (warning,) = warnings(stack(True, **dates))  # type: ignore[arg-type]
    assert warning == (
        f"Warning: api asks for the compatibility date {TODAY}, and the local cloud's runtime knows none after "
        "2025-01-01: here it runs with that one. Cloudflare takes any date up to today."
    )
    assert warnings(stack(False, **dates)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "date, says",
    [
        ((TODAY + timedelta(days=2)).isoformat(), "Cloudflare accepts no date after today in UTC"),
        ("2025-02-30", "no day of the calendar"),
    ],
)
def test_a_date_that_cloudflare_refuses_is_refused_in_the_settings(date: str, says: str) -> None:
    from pydantic import ValidationError

    known = {"script": "web", "path": "web", "assets": "public"}
    assert AssetsSettings.model_validate({**known, "compatibilityDate": TODAY.isoformat()}).script == "web"
    with pytest.raises(ValidationError) as caught:
        AssetsSettings.model_validate({**known, "compatibilityDate": date})
    (told,) = problems(caught.value)
    assert f"oracle-net:compatibilityDate is {date}, " in told.problem
    assert says in told.problem

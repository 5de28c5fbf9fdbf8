"""A scheduled backup is refused when it would be stored only on the machine that takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import backup
from cli.engine.workspace import Stack
from tests.support.errors import refused
from tests.support.stacks import LOCAL


class Asked(Exception):
    """The network would be asked now."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def ready(_: str) -> None:
        raise Asked

    monkeypatch.setattr(backup, "ready", ready)
    monkeypatch.setattr(backup, "Stack", lambda name: Stack(name, tmp_path))
    return tmp_path


def write(project: Path, backups: str) -> None:
    (project / "Pulumi.prod.yaml").write_text(LOCAL.read_text() + backups)


@pytest.mark.parametrize("backups", ["", "  oracle-net:backup:\n    store: folder:/srv/backups\n"])
def test_an_off_site_backup_to_a_folder_is_refused_at_once(project: Path, backups: str) -> None:
    write(project, backups)
    with refused(
        r"^The backups of prod are stored on the machine .*, so no backup was taken\. "
        r"Fix: run `pulumi config set --path oracle-net:backup.store s3://BUCKET/PREFIX --stack prod`\.$"
    ):
        backup.backup("prod", off_site=True)
    with pytest.raises(Asked):
        backup.backup("prod", off_site=False)


def test_an_off_site_backup_to_a_bucket_is_accepted(project: Path) -> None:
    write(project, "  oracle-net:backup:\n    store: s3://backups/prod\n")
    with pytest.raises(Asked):
        backup.backup("prod", off_site=True)

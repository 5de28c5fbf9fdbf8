"""Files are replaced whole, or stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.files import atomic_write


def test_the_new_content_replaces_the_old_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("old")
    with atomic_write(file) as fresh:
        fresh.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("old")
    with pytest.raises(ValueError, match="no digest"):
        _fail_while_writing(file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def _fail_while_writing(file: Path) -> None:
    with atomic_write(file) as fresh:
        fresh.write_text("half")
        raise ValueError("no digest")

"""The counts of a backend's data, compared with its own database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.pocketbase import CountError, Login, count_records, counts, summarize_data
from tests.clients.pocketbase.conftest import ENVIRONMENT, Start, session_of
from tests.clients.pocketbase.gateway import Answer, Gateway, Passing
from tests.support.backend import Backend, Person
from tests.support.errors import raises_text
from toolchain.tools import locate


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with two humans, a view, and files: 1 in a field for one, 3 + 1 + 0 in a field for several."""
    with Backend(tmp_path_factory.mktemp("full") / "a", locate().pocketbase, ENVIRONMENT) as backend:
        admin = Person(backend.url, session_of(backend).token)
        fields = [
            {"name": "cover", "type": "file", "maxSelect": 1},
            {"name": "pages", "type": "file", "maxSelect": 5},
            {"name": "written", "type": "autodate", "onCreate": True, "onUpdate": True},
        ]
        view = {"name": "names", "type": "view", "viewQuery": "SELECT id, name FROM humans"}
        for body in ({"name": "books", "type": "base", "fields": fields}, view):
            admin.ask("POST", "/api/collections", json=body).raise_for_status()
        Person.register(backend.url, "Ada")
        Person.register(backend.url, "Ben")
        for pages, covers in ((3, 1), (1, 0), (0, 0)):
            files = [("pages", (f"{page}.txt", b"page")) for page in range(pages)]
            files += [("cover", ("cover.txt", b"cover"))] * covers
            options: dict[str, object] = {"files": files} if files else {"json": {}}
            admin.ask("POST", "/api/collections/books/records", **options).raise_for_status()
        yield backend


def in_database(backend: Backend, query: str) -> str:
    with closing(sqlite3.connect(f"file:{backend.folder}/pb_data/data.db?mode=ro", uri=True)) as database:
        return str(database.execute(query).fetchone()[0])


def files_on_disk(backend: Backend) -> list[Path]:
    folder = backend.folder / "pb_data" / "storage"
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".attrs"]


class TestCountRecords:
    def test_every_collection_except_views_is_counted(self, full: Backend) -> None:
        counted = count_records(full.url, session_of(full))
        assert {"_superusers", "_mfas", "humans", "books"} <= set(counted)
        assert "names" not in counted
        for name, number in counted.items():
            assert number == int(in_database(full, f"SELECT count(*) FROM {name}")), name
        assert (counted["humans"], counted["books"]) == (2, 3)

    def test_collections_beyond_one_page_are_counted(self, full: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = count_records(full.url, session_of(full))
        monkeypatch.setattr(counts, "PAGE", 3)
        assert count_records(full.url, session_of(full)) == whole

    def test_a_busy_backend_is_asked_again(self, full: Backend) -> None:
        refused: list[str] = []

        def busy(passing: Passing) -> Answer | None:
            if "/humans/" not in passing.path or len(refused) == 2:
                return None
            refused.append(passing.path)
            return Answer(503, b"")

        with Gateway(full.url, busy) as gateway:
            assert count_records(gateway.url, session_of(full))["humans"] == 2
        assert len(refused) == 2

    def test_an_invalid_session_is_refused(self, full: Backend) -> None:
        with raises_text(CountError, r"answered 401 to GET /api/collections\. Fix: run `pulumi up --stack") as caught:
            count_records(full.url, Login(token="not-a-token", id="x"))
        assert "not-a-token" not in str(caught.value)

    def test_a_refused_collection_is_an_error(self, full: Backend) -> None:
        def refuses(passing: Passing) -> Answer | None:
            return Answer(403, b"{}") if "/humans/" in passing.path else None

        with Gateway(full.url, refuses) as gateway, pytest.raises(CountError, match=r"403 to GET .*/humans/records"):
            count_records(gateway.url, session_of(full))


class TestSummary:
    def test_in_numbers(self, full: Backend) -> None:
        found = summarize_data(full.url, session_of(full))
        assert found.records == count_records(full.url, session_of(full))
        assert found.users == 2
        assert found.files == 5 == len(files_on_disk(full))

    def test_the_last_write_is_the_newest_of_all_dates_with_any_name(self, full: Backend) -> None:
        newest = in_database(full, "SELECT max(written) FROM books")
        assert newest > in_database(full, "SELECT max(updated) FROM humans")
        assert summarize_data(full.url, session_of(full)).last_write == newest.replace(" ", "T")

    def test_nothing_was_ever_written(self, start: Start) -> None:
        backend = start("empty")
        found = summarize_data(backend.url, session_of(backend))
        assert (found.users, found.files, found.last_write) == (0, 0, None)
        assert found.records["_superusers"] == 1

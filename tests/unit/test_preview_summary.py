"""The summary of a preview, as reviewers see it."""

from __future__ import annotations

from typing import Any

import pytest

from cli.deploy.service_plan import Change, PlannedChange
from cli.plan import preview_markdown, preview_summary
from cli.plan.preview_summary import Forecast
from tests.unit.test_service_plan import change, outputs, settings

REPLACED = (change("backend-app", "create-replacement"), change("backend-app", "delete-replaced"))


def reasons(*changes: Change, **config: Any) -> str:
    return " ".join(preview_summary._loss_reasons(settings(**config), outputs(), PlannedChange(changes)))


@pytest.mark.parametrize(
    "changes, config, said",
    [
        ((), {}, ""),
        (REPLACED, {}, ""),
        (REPLACED, {"generation": 2}, "The generation goes from 1 to 2: a wipe."),
        (
            REPLACED,
            {"generation": 2, "restore_from": "b1"},
            "The generation goes from 1 to 2: a restore of b1.",
        ),
        (
            (change("backend-data", "update", "restart"),),
            {"restart": 1},
            "oracle-net:restart becomes 1: the backend gets an empty disk.",
        ),
        ((change("backend-data", "update", "app"),), {}, ""),
        (
            REPLACED,
            {"data": "ephemeral"},
            "Another app replaces the backend, and its data is not migrated, because oracle-net:data is ephemeral.",
        ),
        ((change("web-script"),), {"data": "ephemeral"}, ""),
        ((change("backend-app", "delete"),), {}, "The backend's app is deleted."),
    ],
)
def test_a_change_that_loses_data_is_recognized(changes: tuple[Change, ...], config: dict[str, Any], said: str) -> None:
    assert reasons(*changes, **config) == said


def test_each_resource_is_listed_once() -> None:
    plan = PlannedChange((*REPLACED, change("web-script"), change("a", "create"), change("z", "delete")))
    assert list(preview_summary._changes(plan)) == [
        ("a", "create"),
        ("backend-app", "replace"),
        ("web-script", "update"),
        ("z", "delete"),
    ]


def found(**changed: Any) -> Forecast:
    known: dict[str, Any] = {"stack": "prod", "words": ("web: changes.",), "changes": (), "loss": "", "cost": ""}
    return Forecast(**{**known, **changed})


def test_a_preview_without_changes_is_one_line() -> None:
    assert preview_markdown.markdown(found()) == "### `prod`: nothing changes\n\n- web: changes.\n"


def test_a_loss_of_data_is_at_the_top() -> None:
    changes = (("web", "update"), ("api", "update"), ("app", "replace"))
    text = preview_markdown.markdown(found(loss="A wipe.\n12 <posts>", cost="$5.00 becomes $7.00.", changes=changes))
    assert text == (
        "### `prod`: 2 updated, 1 replaced\n\n"
        "> [!CAUTION]\n"
        "> **THIS LOSES THE BACKEND'S DATA.** A verified backup is taken first; "
        "`oracle wipe --undo prod` restores it.\n"
        "> A wipe.\n> 12 &lt;posts>\n\n"
        "- web: changes.\n- Cost: $5.00 becomes $7.00.\n\n"
        "<details><summary>Resources</summary>\n\n| resource | |\n|---|---|\n"
        "| web | updated |\n| api | updated |\n| app | replaced |\n\n</details>\n"
    )


def test_markup_and_mentions_are_escaped() -> None:
    text = preview_markdown.markdown(found(words=("a | `b` <img> @somebody",), changes=(("x|y", "update"),)))
    assert "- a \\| 'b' &lt;img> @\u200bsomebody" in text
    assert "| x\\|y | updated |" in text


def test_a_failed_preview_is_reported() -> None:
    assert preview_markdown.failure("prod", "No <token>.\nnext") == "### `prod`: no preview\n\nNo &lt;token>. next\n"

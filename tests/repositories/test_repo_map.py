"""The map of all repositories: the same facts give the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.engine.pulumi import Engine
from cli.repositories import repo_map
from cli.ui.errors import CommandError
from repositories.configuration import Repositories, Repository
from settings import from_file
from stack_outputs import Outputs
from tests.repositories.lab import Lab, git
from tests.support.stacks import LOCAL

SERVICES = ("backend", "api", "web", "universe")
SETTINGS = from_file(LOCAL)


def outputs(stack: str) -> Outputs:
    return Outputs(
        addresses={
            "backend": f"https://{stack}-abcde.ondigitalocean.app",
            "api": f"https://api.{stack}.example.org",
            "universe": f"https://universe.{stack}.example.org",
            "web": f"https://{stack}.example.org",
        },
        backend_app="jellyfish-app-g3",
        backend_app_id="1",
        generation=3,
        release={
            "backend": "sha256:" + "a" * 64,
            "workers": {"api": "b" * 64},
            "assets": {"web": "c" * 64, "universe": "d" * 64},
            "commits": {"backend": "1" * 40, "api": "2" * 40 + "-dirty"},
        },
        admin_email="ada@example.org",
    )


@pytest.fixture
def config(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    """Five repositories, the last of which holds the map; staging is deployed, prod is not."""
    entries = []
    for name, service in zip(("back", "api", "web", "uni", "map"), (*SERVICES, None), strict=True):
        lab.repository(name)
        entries.append({"name": name, "path": f"../{name}", "what": f"The | {name}", "service": service})
    made = Repositories.model_validate({"map": "../map/REPO_MAP.md", "repositories": entries})
    (lab.project / "repositories.yaml").write_text(made.model_dump_json())
    stacks = {"prod": repo_map.Place(SETTINGS, None), "staging": repo_map.Place(SETTINGS, outputs("staging"))}
    monkeypatch.setattr(repo_map, "places", lambda project: stacks)
    return made


def test_the_map_shows_repositories_versions_and_stacks(lab: Lab, config: Repositories) -> None:
    git(lab.folder / "back", "tag", "v1.4.0")
    (lab.folder / "web" / "package.json").write_text('{"version": "2.5.1"}')
    git(lab.folder / "web", "add", "-A")
    git(lab.folder / "web", "commit", "-qm", "Version")
    head = git(lab.folder / "web", "rev-parse", "HEAD")[:10]
    assert repo_map.repo_map(lab.project, check=False) == (
        "../map/REPO_MAP.md was written. To commit it, run `oracle commit-all`."
    )
    text = (lab.folder / "map" / "REPO_MAP.md").read_text()
    assert f"| web | The \\| web | main | `{head}` | 2.5.1 |" in text
    assert "| v1.4.0 |" in text
    assert "## prod\n\nNot deployed." in text
    api = "| api | api | Cloudflare Worker, `oracle-universe-api` | https://api.staging.example.org |"
    api += " `2222222222` with changes |"
    assert f"{api} `{'b' * 12}` |" in text
    assert "| backend | back | DigitalOcean App Platform, `jellyfish-app-g3` |" in text
    assert "The backend is of generation 3." in text
    assert "staging_web --> staging_api" in text
    assert str(lab.folder) not in text


def test_text_written_by_people_is_preserved(lab: Lab, config: Repositories) -> None:
    page = lab.folder / "map" / "REPO_MAP.md"
    ours = (
        f"# Where everything is\n\nAsk Ada first.\n\n{repo_map.BEGIN}\nolder\n{repo_map.END}\n\n## Keys\n\nIn the safe."
    )
    page.write_text(ours)
    with pytest.raises(CommandError, match=r"is out of date\.$"):
        repo_map.repo_map(lab.project, check=True)
    repo_map.repo_map(lab.project, check=False)
    text = page.read_text()
    assert text.startswith(f"# Where everything is\n\nAsk Ada first.\n\n{repo_map.BEGIN}\n\n| repository |")
    assert text.endswith(f"```\n\n{repo_map.END}\n\n## Keys\n\nIn the safe.")
    assert "older" not in text
    assert "up to date" in repo_map.repo_map(lab.project, check=True)
    page.write_text(text.replace("In the safe.", "With Bea."))
    assert "up to date" in repo_map.repo_map(lab.project, check=True), "what people write does not make it stale"


@pytest.mark.parametrize(
    "page",
    [
        "# By hand\n",
        f"{repo_map.BEGIN}\n",
        f"{repo_map.END}\n{repo_map.BEGIN}\n",
        f"{repo_map.BEGIN}\n{repo_map.END}\n" * 2,
    ],
    ids=["no marks", "one mark", "the wrong way round", "twice"],
)
def test_a_page_without_its_markers_is_not_changed(lab: Lab, config: Repositories, page: str) -> None:
    path = lab.folder / "map" / "REPO_MAP.md"
    path.write_text(page)
    for check in (True, False):
        with pytest.raises(CommandError, match="must contain these two lines") as caught:
            repo_map.repo_map(lab.project, check=check)
        assert f"\n{repo_map.BEGIN}\n{repo_map.END}\n" in caught.value.problem
    assert path.read_text() == page


def test_the_map_is_stale_only_when_a_fact_has_changed(lab: Lab, config: Repositories) -> None:
    with pytest.raises(CommandError, match=r"REPO_MAP\.md does not exist\.$"):
        repo_map.repo_map(lab.project, check=True)
    repo_map.repo_map(lab.project, check=False)
    assert "up to date" in repo_map.repo_map(lab.project, check=True)
    (lab.folder / "api" / "README.md").write_text("moved\n")
    assert "up to date" in repo_map.repo_map(lab.project, check=True), "what is not committed does not count"
    git(lab.folder / "api", "commit", "-qam", "Move")
    with pytest.raises(CommandError, match=r"(?s)^These lines differ:\n@@.*is out of date\.$"):
        repo_map.repo_map(lab.project, check=True)


def test_committing_the_map_does_not_make_it_stale(lab: Lab, config: Repositories) -> None:
    repo_map.repo_map(lab.project, check=False)
    git(lab.folder / "map", "add", "-A")
    git(lab.folder / "map", "commit", "-qm", "Map")
    assert "up to date" in repo_map.repo_map(lab.project, check=True)
    (lab.folder / "map" / "README.md").write_text("more\n")
    git(lab.folder / "map", "commit", "-qam", "More")
    with pytest.raises(CommandError, match="is out of date"):
        repo_map.repo_map(lab.project, check=True)


def test_a_missing_checkout_is_shown_in_its_row(lab: Lab, config: Repositories) -> None:
    (lab.folder / "uni").rename(lab.folder / "away")
    found = repo_map.versions(config, lab.project)
    assert found[3].missing is not None
    assert found[3].missing.problem == "The checkout does not exist."
    assert "| uni | The \\| uni | no checkout | - | - |" in repo_map.rendered(found, {})


def test_a_missing_folder_for_the_map_is_an_error(lab: Lab, config: Repositories) -> None:
    (lab.folder / "map").rename(lab.folder / "away")
    with pytest.raises(CommandError, match=r"^The folder of .* does not exist\.$"):
        repo_map.repo_map(lab.project, check=False)
    assert not (lab.folder / "map").exists()


def test_a_checkout_without_commits_or_with_an_invalid_package_is_shown(lab: Lab, config: Repositories) -> None:
    (lab.folder / "api" / "package.json").write_text("[1, 2")
    git(lab.folder / "api", "add", "-A")
    git(lab.folder / "api", "commit", "-qm", "Strange")
    git(lab.folder, "init", "-q", str(lab.folder / "fresh"))
    fresh = Repository(name="fresh", path="../fresh", what="x", service=None)
    found = repo_map.versions(
        Repositories(map="../fresh/M.md", repositories=(*config.repositories, fresh)), lab.project
    )
    assert (found[1].version, found[1].missing) == ("", None)
    assert (found[5].commit, found[5].version) == ("", "")


def test_only_deployed_stacks_on_the_clouds_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local stacks are left out, as are stacks without resources or unknown to the state."""
    said = {"stack ls --json": '[{"name": "acme/oracle-net/staging", "resourceCount": 9}, {"name": "prod"}]'}
    monkeypatch.setattr(Engine, "__init__", lambda self, stack: setattr(self, "stack", stack))
    monkeypatch.setattr(Engine, "run_checked", lambda self, *arguments: said[" ".join(arguments)])
    monkeypatch.setattr(Engine, "outputs", lambda self: outputs(self.stack.name))
    found = repo_map.places(Path(__file__).parents[2])
    assert found["prod"].outputs is None
    assert found["staging"].outputs == outputs("staging")
    assert found["staging"].runs_on["api"] == "Cloudflare Worker, `oracle-universe-api-staging`"
    assert "local" not in found

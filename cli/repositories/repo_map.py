"""REPO_MAP.md: each repository, its commit and version, and its deployments. Reproducible byte for byte."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack, stack_names
from cli.ui.errors import CommandError
from errors import First, Fix, Remedy
from repositories.configuration import Repositories, load
from repositories.processes import Processes
from repositories.versions import COMMIT_LENGTH, Version, version
from settings import API, Settings
from stack_outputs import ADOPTED, Outputs

NONE = "-"
TITLE = "# The repositories\n\n"
BEGIN = "<!-- begin: written by `oracle repo-map` from repositories.yaml, the checkouts and what is deployed -->"
END = "<!-- end of what `oracle repo-map` writes -->"
SHOWN_LINES = 12
WRITE = Fix("oracle repo-map", "to write it")


@dataclass(frozen=True)
class Place:
    """A stack: its settings and its outputs, which are None if it is not deployed."""

    settings: Settings
    outputs: Outputs | None

    @property
    def runs_on(self) -> dict[str, str]:
        """The platform of each service, with the service's name there."""
        app = self.outputs.backend_app if self.outputs else self.settings.backend.app_name
        kinds = {name: "static files" if name in self.settings.sites else "" for name in self.settings.workers}
        workers = {
            name: f"Cloudflare Worker{f', {kind}' * bool(kind)}, `{self.settings.workers[name].script}`"
            for name, kind in kinds.items()
        }
        return {"backend": f"DigitalOcean App Platform, `{app}`", **workers}

    @property
    def asks(self) -> Iterator[tuple[str, str]]:
        """The calls between services: sites call the API, the API the backend, and Workers each other by bindings."""
        yield from ((site, API) for site in self.settings.sites)
        yield (API, "backend")
        for name, others in self.settings.asked.items():
            yield from ((name, other) for other in others)


def repo_map(project: Path, check: bool) -> str:
    """Write or check the map, and return the sentence to show. Raises CommandError if it is out of date.

    Text outside of the two marks belongs to the team and is not changed.
    """
    config = load(project)
    path = project / config.map
    text = rendered(versions(config, project), places(project))
    if check:
        _check(path, text, config.map)
        return f"{config.map} is up to date."
    if not path.parent.is_dir():
        raise CommandError(
            f"The folder of {config.map} does not exist.",
            Fix(f"git clone URL {path.parent}", "to clone its repository", then=Remedy.RETRY),
        )
    path.write_text(_page_with(path, text, config.map), encoding="utf-8")
    return f"{config.map} was written. To commit it, run `oracle commit-all`."


def versions(config: Repositories, project: Path) -> list[Version]:
    """Return the version of every checkout, in the configuration's order."""
    processes, written = Processes(), project / config.map
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda each: version(each, project, processes, written), config.repositories))


def places(project: Path) -> dict[str, Place]:
    """Return every stack that runs in the clouds. Raises CommandError if its outputs cannot be read."""
    stacks = (Stack(name, project) for name in stack_names(project))
    return {stack.name: _place(stack) for stack in stacks if not stack.on_local_cloud}


def rendered(found: Sequence[Version], stacks: Mapping[str, Place]) -> str:
    """Return the map as Markdown, without the marks around it."""
    deployed = [each for each in found if each.repository.service]
    parts = [
        _table(("repository", "what it is", "branch", "commit", "version"), [_repository(each) for each in found]),
        *(f"## {name}\n\n{_stack(place, deployed)}" for name, place in stacks.items()),
        "## The picture\n\n" + _diagram(deployed, stacks),
    ]
    return "\n\n".join(parts)


def _place(stack: Stack) -> Place:
    settings = stack.settings()
    engine = Engine(stack)
    known = engine.stacks().get(stack.name, {})
    return Place(settings, engine.outputs() if known.get("resourceCount") else None)


def _repository(each: Version) -> tuple[str, ...]:
    if each.missing:
        return each.repository.name, each.repository.what, "no checkout", NONE, NONE
    commit = f"`{each.commit}`" if each.commit else NONE
    return each.repository.name, each.repository.what, each.branch, commit, each.version or NONE


def _stack(place: Place, deployed: Sequence[Version]) -> str:
    if place.outputs is None:
        return "Not deployed."
    heads = ("service", "repository", "runs as", "address", "commit", "release")
    generation = f"The backend is of generation {place.outputs.generation}."
    return _table(heads, [_service(each, place, place.outputs) for each in deployed]) + f"\n\n{generation}"


def _service(each: Version, place: Place, outputs: Outputs) -> tuple[str, ...]:
    service = each.repository.service or ""
    commit, dirty, _ = outputs.release["commits"].get(service, "").partition("-dirty")
    shown = f"`{commit[:COMMIT_LENGTH]}`{' with changes' if dirty else ''}" if commit else NONE
    runs_as, address = place.runs_on.get(service, NONE), outputs.addresses.get(service, NONE)
    return service, each.repository.name, runs_as, address, shown, _release(service, outputs)


def _release(service: str, outputs: Outputs) -> str:
    release = outputs.release
    digest = release["backend"] if service == "backend" else release["assets"].get(service)
    digest = digest or release["workers"].get(service, "")
    if digest.startswith(ADOPTED):
        return "made by hand"
    return f"`{digest.removeprefix('sha256:')[:12]}`" if digest else NONE


def _diagram(deployed: Sequence[Version], stacks: Mapping[str, Place]) -> str:
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'    repo_{_id(each)}["{each.repository.name}"]' for each in deployed]
    for stack, place in stacks.items():
        lines += _subgraph(stack, place, deployed)
    return "\n".join([*lines, "```"])


def _subgraph(stack: str, place: Place, deployed: Sequence[Version]) -> Iterator[str]:
    """Yield a stack's subgraph: its services, their repositories and their calls."""
    key = "".join(letter if letter.isalnum() else "_" for letter in stack)
    services = {_id(each) for each in deployed}
    yield f'    subgraph {key}_stack["{stack}{"" if place.outputs else ": not deployed"}"]'
    for service in [_id(each) for each in deployed]:
        address = place.outputs.addresses.get(service, "").removeprefix("https://") if place.outputs else ""
        yield f'        {key}_{service}["{service}{f"<br/>{address}" if address else ""}"]'
    yield from (
        f"        {key}_{asking} --> {key}_{asked}" for asking, asked in place.asks if {asking, asked} <= services
    )
    yield "    end"
    yield from (f"    repo_{_id(each)} -.-> {key}_{_id(each)}" for each in deployed if place.outputs)


def _id(each: Version) -> str:
    return each.repository.service or ""


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _check(path: Path, text: str, name: str) -> None:
    try:
        written = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CommandError(f"{name} does not exist.", WRITE) from None
    _, known, _ = _split_page(written, name)
    if known == text:
        return
    differing = list(difflib.unified_diff(known.splitlines(), text.splitlines(), "written", "now", lineterm="", n=0))
    shown = "\n".join(differing[2 : 2 + SHOWN_LINES])
    raise CommandError(f"These lines differ:\n{shown}\n{name} is out of date.", WRITE)


def _page_with(path: Path, text: str, name: str) -> str:
    """Return the page with the map between its marks. A new page has only the map."""
    try:
        before, _, after = _split_page(path.read_text(encoding="utf-8"), name)
    except FileNotFoundError:
        before, after = TITLE, "\n"
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _split_page(page: str, name: str) -> tuple[str, str, str]:
    """Return the text before, between and after the marks. Raises CommandError for a page without both marks."""
    before, begin, rest = page.partition(BEGIN)
    known, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise CommandError(
            f"{name} must contain these two lines, each once and in this order:\n{BEGIN}\n{END}\n"
            "The map is written between them.",
            First("add these lines to it", Remedy.RETRY),
        )
    return before, known.strip("\n"), after

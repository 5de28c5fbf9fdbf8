"""Which app runs the backend: its name, made from the generation and from how many apps that generation has had.

App Platform's disks are ephemeral: a deployment in place would empty the database. So everything that needs another
deployment (a wipe, a release, another size) is a new app beside the old, and every app has a name of its own. This
resource counts them, and it is the gate that everything destructive passes first: what it refuses has changed nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.custody import Custody
from components.dynamic import Sentence, show_sentences
from components.naming import app_name

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings


class GenerationProvider(ResourceProvider):
    """Counts apps. Keys are read when they are needed, and kept as secrets only."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_sentences()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        _refuse(_olds, _news)
        return DiffResult(changes=any(_olds.get(key) != _news[key] for key in ("generation", "trigger", "base")))

    def create(self, props: dict[str, Any]) -> CreateResult:
        _look(props)
        return CreateResult(id_=props["base"], outs=_counted(props, 1))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _look(_news)
        same = _olds["generation"] == _news["generation"] and _olds["base"] == _news["base"]
        return UpdateResult(outs=_counted(_news, int(_olds["revision"]) + 1 if same else 1))


class BackendGeneration(Resource, name="BackendGeneration"):
    """Produces `app`, the name of the app that runs the backend, and `revision`, its number within the generation.

    Refuses a lowered generation, and a `restoreFrom` whose backup is unknown, damaged or cannot be opened.
    """

    app: pulumi.Output[str]
    revision: pulumi.Output[int]
    trigger: str
    """Changes when the backend needs another app. Plain configuration, known in every preview."""

    def __init__(
        self, name: str, settings: Settings, release: str, custody: Custody, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self.trigger = f"{settings.generation}.{settings.replacement}.{fingerprint(settings, release)}"
        props = {
            "base": settings.backend.app_name,
            "generation": settings.generation,
            "trigger": self.trigger,
            "restore_from": settings.restore_from or "",
            "custody": custody.props(),
            "app": None,
            "revision": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["custody"])
        super().__init__(GenerationProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def fingerprint(settings: Settings, release: str) -> str:
    """Twelve hex digits over everything of the backend that a deployment carries."""
    declared = settings.backend.model_dump(mode="json", exclude={"path", "build", "create_timeout", "console"})
    declared["image"] = {"repository": settings.backend.image.repository, "digest": release}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:12]


def _counted(props: dict[str, Any], revision: int) -> dict[str, Any]:
    app = app_name(props["base"], int(props["generation"]), revision)
    return {**props, "revision": revision, "app": app}


def _refuse(olds: dict[str, Any], news: dict[str, Any]) -> None:
    """What can be seen in every preview. Raises Sentence."""
    old, new, wanted = int(olds["generation"]), int(news["generation"]), news["restore_from"]
    if new < old:
        raise Sentence(
            f"oracle-net:generation is {new}, and generation {old} runs: none ever comes back. Put the "
            f"number back: pulumi config set oracle-net:generation {old}; to have earlier data: oracle wipe --undo"
        )
    if new == old and wanted and wanted != olds.get("restore_from"):
        raise Sentence(
            f"oracle-net:restoreFrom is {wanted}, and generation {old} runs already with its own data. "
            f"A restore is a new generation: oracle restore {wanted}"
        )
    if new > old and wanted:
        Custody.of(news["custody"]).check(wanted)


def _look(props: dict[str, Any]) -> None:
    """What must be so before anything changes. Raises Sentence."""
    custody = Custody.of(props["custody"])
    custody.check_writable()
    if props["restore_from"]:
        custody.prove(props["restore_from"])

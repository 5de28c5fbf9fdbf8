"""The methods of a resource that follow from its table of attributes alone: Check, Diff and previews."""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.cloudflare.attributes import Fields, clean, deprecations, failures, marked
from offline_plugins.cloudflare.plan import diffed, imported_inputs, planned, refreshed_inputs
from offline_plugins.resource import Checked, Diffed, Failure, Props, Resource


class Tabled(Resource):
    """A resource with the table `fields`, which also marks its secret inputs and outputs."""

    fields: ClassVar[Fields]

    def check(self, name: str, seed: bytes, olds: Props, news: Props) -> Checked:
        inputs = clean(news)
        refused = failures(self.fields, inputs, name) + self.further_failures(inputs, name)
        warnings = [] if refused else [f"[WARNING] {text}" for text in deprecations(self.fields, inputs)]
        return Checked(marked(self.fields, inputs, unknowns=True), refused, warnings)

    def further_failures(self, inputs: Props, name: str) -> list[Failure]:
        """Return failures beyond the table; `name` is the resource's, for messages. May raise ProviderError."""
        return []

    def plan(self, config: Props, prior: Props) -> Props:
        """Plan the state after an update; `prior` is empty for a new resource."""
        return planned(self.fields, config, prior)

    def diff(self, id: str, olds: Props, old_inputs: Props, news: Props, ignore: list[str]) -> Diffed:
        config, prior = clean(news), clean(olds)
        return diffed(self.fields, config, prior, self.plan(config, prior))

    def preview_create(self, news: Props) -> Props:
        return marked(self.fields, self.plan(clean(news), {}))

    def preview_update(self, id: str, olds: Props, old_inputs: Props, news: Props) -> Props:
        return marked(self.fields, self.plan(clean(news), clean(olds)))

    def read_result(self, id: str, state: Props, old_inputs: Props | None) -> tuple[str, Props, Props]:
        """Return the result of `read` for a resource with this state; without old inputs it was imported."""
        inputs = refreshed_inputs(clean(old_inputs), state) if old_inputs else imported_inputs(self.fields, state)
        return id, marked(self.fields, state), marked(self.fields, inputs)

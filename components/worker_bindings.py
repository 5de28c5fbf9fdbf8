"""What is bound to the Workers, by the program and by their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.bindings import Assets, Binding, DurableObjects, PlainText, SecretText, Service, Stored
from lifecycle.naming import BACKEND_VARIABLE
from settings import (
    API,
    BindingSettings,
    BucketBinding,
    DatabaseBinding,
    DurableObjectBinding,
    KvBinding,
    QueueBinding,
    ServiceBinding,
    Settings,
    StorageKind,
    TextBinding,
)


class Uploaded(Protocol):
    """A Worker that is there."""

    script: pulumi.Output[str]


class Holds(Protocol):
    """What holds data for the Workers."""

    def binding(self, name: str, kind: StorageKind, stored: str) -> Stored: ...


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """What is bound to each Worker: what its kind gets from the program, and what its configuration names."""

    settings: Settings
    api: Mapping[str, pulumi.Input[str]]
    """The secrets that the api alone knows, by name."""
    app: pulumi.Input[str]
    """The name of the app that runs the backend."""
    address: str
    """The api's."""
    storage: Holds

    def of(self, name: str, made: Mapping[str, Uploaded]) -> list[Binding]:
        """The bindings of the Worker `name`; `made` has the Workers that are made before it."""
        worker = self.settings.modules.get(name)
        if worker is None:
            return [Assets(), PlainText(name="API_URL", value=self.address)]
        found = [*(self._of_api() if name == API else []), *map(_secret, self.settings.secrets_of(name).items())]
        return found + [_binding(key, each, self.storage, made) for key, each in worker.bindings.items()]

    def _of_api(self) -> list[Binding]:
        known = (SecretText(name=name, value=value) for name, value in self.api.items())
        token = self.settings.github_token
        optional = [_secret(("GITHUB_TOKEN", token.get_secret_value()))] if token else []
        return [*known, *optional, PlainText(name=BACKEND_VARIABLE, value=self.app)]


def _secret(pair: tuple[str, str]) -> Binding:
    name, value = pair
    return SecretText(name=name, value=pulumi.Output.secret(value))


def _binding(name: str, binding: BindingSettings, storage: Holds, made: Mapping[str, Uploaded]) -> Binding:
    match binding:
        case TextBinding():
            return PlainText(name=name, value=binding.text)
        case ServiceBinding():
            return Service(name=name, script=made[binding.service].script, entrypoint=binding.entrypoint)
        case DurableObjectBinding():
            script = made[binding.worker].script if binding.worker else None
            return DurableObjects(name=name, class_name=binding.durable_object, script=script)
        case KvBinding():
            return storage.binding(name, "kv", binding.kv)
        case BucketBinding():
            return storage.binding(name, "r2", binding.r2)
        case DatabaseBinding():
            return storage.binding(name, "d1", binding.d1)
        case QueueBinding():
            return storage.binding(name, "queue", binding.queue)

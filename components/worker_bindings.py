"""The bindings of each Worker: those of the program and those of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.bindings import Assets, Binding, DurableObjects, PlainText, SecretText, Service, Stored
from lifecycle.naming import BACKEND_VARIABLE, worker_url
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


class UploadedWorker(Protocol):
    """A Worker that was made before."""

    script: pulumi.Output[str]


class WorkerStorage(Protocol):
    """The storage of the Workers."""

    def binding(self, name: str, kind: StorageKind, resource_name: str) -> Stored: ...


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """The inputs of all Workers' bindings."""

    settings: Settings
    """The bindings and secrets that each Worker's configuration names."""
    url: pulumi.Input[str]
    """The backend's address, a secret of the api."""
    login: Mapping[str, pulumi.Input[str]]
    """The admin's login, as secrets of the api."""
    app: pulumi.Input[str]
    """The name of the app that runs the backend."""
    storage: WorkerStorage
    """The storage that Workers are bound to."""

    def of(self, name: str, made: Mapping[str, UploadedWorker]) -> list[Binding]:
        """Return the bindings of the Worker `name`. `made` has the Workers that were made before it."""
        worker = self.settings.modules.get(name)
        if worker is None:
            return [Assets(), PlainText(name="API_URL", value=worker_url(self.settings.workers_url, self.settings.api))]
        program = self._of_api() if name == API else []
        declared = [_binding(key, each, self.storage, made) for key, each in worker.bindings.items()]
        return [*program, *_secrets(self.settings.secrets_of(name)), *declared]

    def _of_api(self) -> list[Binding]:
        token = self.settings.github_token
        optional = {"GITHUB_TOKEN": token.get_secret_value()} if token else {}
        secrets = _secrets({"POCKETBASE_URL": self.url, **self.login, **optional})
        return [*secrets, PlainText(name=BACKEND_VARIABLE, value=self.app)]


def _secrets(values: Mapping[str, pulumi.Input[str]]) -> list[SecretText]:
    return [SecretText(name=name, value=value) for name, value in values.items()]


def _binding(
    name: str, binding: BindingSettings, storage: WorkerStorage, made: Mapping[str, UploadedWorker]
) -> Binding:
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

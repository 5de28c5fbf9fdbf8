"""Bindings in a Worker's configuration: `bindings: {NAME: {KIND: …}}`, one kind for each name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from settings.section import EDIT, InvalidSetting, Section

StorageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
"""R2's rule for a bucket's name, used for KV, D1 and queues too."""
ClassName = Annotated[str, Field(pattern=r"^[A-Za-z_$][A-Za-z0-9_$]*$")]


class TextBinding(Section):
    """A text that everybody with access to the account can read."""

    text: str


class ServiceBinding(Section):
    """Another Worker of the stack, by its name in `workers`; `entrypoint` names one of its exported classes."""

    service: str
    entrypoint: ClassName | None = None


class KvBinding(Section):
    """A KV namespace by its title. It is created when a Worker first names it."""

    kv: StorageName


class BucketBinding(Section):
    """An R2 bucket by its name."""

    r2: StorageName


class DatabaseBinding(Section):
    """A D1 database by its name."""

    d1: StorageName


class QueueBinding(Section):
    """A queue that the Worker sends messages to, by its name."""

    queue: StorageName


class DurableObjectBinding(Section):
    """A class of Durable Objects: of this Worker, or of another Worker of the stack by its name in `workers`."""

    durable_object: ClassName
    worker: str | None = None


KINDS: dict[str, type[Section]] = {
    "text": TextBinding,
    "service": ServiceBinding,
    "kv": KvBinding,
    "r2": BucketBinding,
    "d1": DatabaseBinding,
    "queue": QueueBinding,
    "durableObject": DurableObjectBinding,
}


def _kind(binding: Any) -> str | None:
    """Return the binding's kind, from a mapping or an instance; None if there is not exactly one."""
    if isinstance(binding, Section):
        return next(kind for kind, model in KINDS.items() if isinstance(binding, model))
    kinds = [kind for kind in KINDS if kind in binding] if isinstance(binding, dict) else []
    return kinds[0] if len(kinds) == 1 else None


BindingSettings = Annotated[
    Annotated[TextBinding, Tag("text")]
    | Annotated[ServiceBinding, Tag("service")]
    | Annotated[KvBinding, Tag("kv")]
    | Annotated[BucketBinding, Tag("r2")]
    | Annotated[DatabaseBinding, Tag("d1")]
    | Annotated[QueueBinding, Tag("queue")]
    | Annotated[DurableObjectBinding, Tag("durableObject")],
    Discriminator(
        _kind,
        custom_error_type="binding_kind",
        custom_error_message=f"should have exactly one of {', '.join(KINDS)}",
    ),
]


class ConsumerSettings(Section):
    """Delivery of a queue's messages. A key that is left out has Cloudflare's default."""

    batch_size: int | None = Field(default=None, ge=1, le=100)
    max_wait_ms: int | None = Field(default=None, ge=0, le=60_000)
    retries: int | None = Field(default=None, ge=0, le=100)
    dead_letter_queue: StorageName | None = None


class Migration(Section):
    """A step in the history of a Worker's Durable Objects: https://developers.cloudflare.com/durable-objects."""

    tag: str = Field(min_length=1)
    new_sqlite_classes: tuple[ClassName, ...] = ()
    deleted_classes: tuple[ClassName, ...] = ()

    @model_validator(mode="after")
    def _does_something(self) -> Migration:
        if not self.new_sqlite_classes and not self.deleted_classes:
            raise InvalidSetting("names no class: it needs newSqliteClasses or deletedClasses", EDIT)
        return self

"""The interface for a plugin's author: values, results, errors, and the two base classes `Resource` and `Provider`.

Values are plain Python (None, bool, int, float, str, list, dict), plus `UNKNOWN` for a value that is not known before
the update runs, plus `Secret(value)` in results. Requests carry no `Secret`: like the official plugins, ours do not
accept secrets, so the engine sends plain values and marks the results of secret inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from offline_plugins.api import Api

Props = dict[str, Any]


class _Unknown:
    """The type of `UNKNOWN`, a value that is known only after the update has run."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false; compare it with `is UNKNOWN`")

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, _memo: object) -> _Unknown:
        return self


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Secret:
    """A value of a result that the engine must encrypt; never printed."""

    value: Any = field(repr=False)


class Kind(IntEnum):
    """The kinds of change of one property; numbers of the protocol's PropertyDiff.Kind."""

    ADD = 0
    ADD_REPLACE = 1
    DELETE = 2
    DELETE_REPLACE = 3
    UPDATE = 4
    UPDATE_REPLACE = 5


@dataclass(frozen=True)
class Failure:
    """One refused input: `reason` is shown to the user; `property` is a path, empty where the official plugin's is."""

    reason: str
    property: str = ""


@dataclass(frozen=True)
class Checked:
    """The inputs to store (with defaults), and their failures. `Secret` may be in inputs."""

    inputs: Props
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Diffed:
    """The changes of an update. `detailed` None: the plugin has no detailed diff (hasDetailedDiff is false)."""

    changes: bool
    diffs: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    detailed: dict[str, Kind] | None = None
    stables: list[str] = field(default_factory=list)
    delete_before_replace: bool = False


class ProviderError(Exception):
    """A failed call. `text` is what the engine shows; `code` is the name of a gRPC status code."""

    def __init__(self, text: str, code: str = "UNKNOWN") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class InitFailed(Exception):
    """The resource exists, or was changed, but is not as requested: the engine stores this state and fails the step."""

    def __init__(self, id: str, props: Props, reasons: list[str], inputs: Props | None = None) -> None:
        super().__init__("; ".join(reasons))
        self.id = id
        self.props = props
        self.reasons = reasons
        self.inputs = inputs


class Resource(ABC):
    """One resource type, without state of its own. `timeout` is in seconds, None when the program sets none.

    Every method may raise ProviderError; create and update also InitFailed.
    """

    token: str  # "digitalocean:index/app:App"

    @abstractmethod
    def check(self, name: str, seed: bytes, olds: Props, news: Props) -> Checked:
        """Check inputs. `olds` are the stored inputs (empty for a new resource), `news` the program's."""

    @abstractmethod
    def diff(self, id: str, olds: Props, old_inputs: Props, news: Props, ignore: list[str]) -> Diffed:
        """Compare. `olds` are the stored outputs. In `news` the engine has put old inputs in place of ignored ones."""

    @abstractmethod
    def preview_create(self, news: Props) -> Props: ...

    @abstractmethod
    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]: ...

    @abstractmethod
    def preview_update(self, id: str, olds: Props, old_inputs: Props, news: Props) -> Props: ...

    @abstractmethod
    def update(
        self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None
    ) -> Props: ...

    @abstractmethod
    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        """Return the current id, outputs and inputs; None when the resource does not exist. Without olds it is an
        import.
        """

    @abstractmethod
    def delete(self, api: Api, id: str, olds: Props) -> None: ...


class Provider(ABC):
    """One plugin: its resources and its configuration."""

    name: str  # "digitalocean"
    version: str  # "4.76.0"
    accept_resources: bool = False  # as the official plugin answers Configure
    names_step: bool = False  # errors begin with "creating|updating|deleting URN: ", like digitalocean's
    handshake: str = "method Handshake not implemented"
    resources: ClassVar[Mapping[str, Resource]]

    @abstractmethod
    def check_config(self, news: Props) -> Checked: ...

    @abstractmethod
    def configure(self, config: Props, api: Api) -> None:
        """Set endpoint, headers and retries on `api`. Raises ProviderError, one sentence."""

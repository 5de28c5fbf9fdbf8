"""`repositories.yaml`: which repositories there are, where their checkouts lie, and where their map is written."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

import yaml_text

FILE = "repositories.yaml"


class ConfigurationError(Exception):
    """The file cannot be used; the text has one sentence for each problem."""


def _relative(value: str) -> str:
    if not value or Path(value).is_absolute() or value.startswith("~"):
        raise ValueError("should be a path relative to the project, such as ../oracle-net-web")
    return value


Relative = Annotated[str, AfterValidator(_relative)]


class Repository(BaseModel):
    """One repository. `path` is its checkout, relative to the project; `service` what is deployed from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: Relative
    what: str = Field(min_length=1)
    service: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")] | None

    def folder(self, project: Path) -> Path:
        return project / self.path


class Repositories(BaseModel):
    """The whole file. `map` is where `oracle repo-map` writes, relative to the project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    map: Relative
    repositories: tuple[Repository, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Repositories:
        for what in ("name", "path", "service"):
            counted = Counter(getattr(each, what) for each in self.repositories)
            if twice := [value for value, times in counted.items() if times > 1 and value is not None]:
                raise ValueError(f"has the {what} {twice[0]} twice")
        return self

    def named(self, names: list[str]) -> tuple[Repository, ...]:
        """Those named, in the file's order; all when none is named. Raises ConfigurationError for an unknown name."""
        known = {each.name for each in self.repositories}
        if unknown := [name for name in names if name not in known]:
            raise ConfigurationError(f"There is no repository {unknown[0]}; {FILE} has: {', '.join(sorted(known))}.")
        return tuple(each for each in self.repositories if not names or each.name in names)


def load(project: Path) -> Repositories:
    """The project's repositories. Raises ConfigurationError."""
    path = project / FILE
    try:
        document = yaml_text.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{FILE} does not exist; take it back: git checkout {FILE}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{FILE} is not YAML: {' '.join(str(error).split())}. Edit it.") from None
    try:
        return Repositories.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A list is only said to be too short because of what is wrong inside it.
        inside = any(len(each["loc"]) > 1 for each in found)
        problems = [each for each in found if not (inside and each["type"] == "too_short")]
        raise ConfigurationError("\n".join(_sentence(each) for each in problems)) from None


def _sentence(problem: Any) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "missing":
        said = "is missing"
    elif problem["type"] == "extra_forbidden":
        said = "is not a key it knows"
    else:
        message = re.sub(r"^(Input|String|Value|Tuple) should", "should", problem["msg"])
        said = message.removeprefix("Value error, ")
    return f"{FILE}: {f'{place} ' if place else ''}{said}. Edit it."

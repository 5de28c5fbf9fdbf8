"""`repositories.yaml`: the repositories, the paths of their checkouts, and the path of their map."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

import yaml_text
from errors import First, Fix, Remedy, UserError, UserErrors

FILE = "repositories.yaml"
EDIT = First(f"edit {FILE}", Remedy.RETRY)


def _relative(value: str) -> str:
    if not value or Path(value).is_absolute() or value.startswith("~"):
        raise ValueError("should be a path relative to the project, such as ../oracle-net-web")
    return value


Relative = Annotated[str, AfterValidator(_relative)]


class Repository(BaseModel):
    """One repository. `path` is its checkout, relative to the project; `service` is deployed from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: Relative
    what: str = Field(min_length=1)
    service: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")] | None

    def folder(self, project: Path) -> Path:
        return project / self.path


class Repositories(BaseModel):
    """The whole file. `map` is the file of the map, relative to the project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    map: Relative
    repositories: tuple[Repository, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Repositories:
        for key in ("name", "path", "service"):
            counted = Counter(getattr(each, key) for each in self.repositories)
            if twice := [value for value, times in counted.items() if times > 1 and value is not None]:
                raise ValueError(f"has the {key} {twice[0]} twice")
        return self

    def named(self, names: list[str]) -> tuple[Repository, ...]:
        """Return the named repositories in the file's order; without names, all. Raises UserError."""
        known = {each.name for each in self.repositories}
        if unknown := [name for name in names if name not in known]:
            raise UserError(f"There is no repository {unknown[0]}.", First(f"choose one of {', '.join(sorted(known))}"))
        return tuple(each for each in self.repositories if not names or each.name in names)


def load(project: Path) -> Repositories:
    """Read the project's repositories. Raises UserError, also for several problems at once."""
    path = project / FILE
    try:
        document = yaml_text.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{FILE} does not exist.", Fix(f"git checkout {FILE}", "to restore it")) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{FILE} is not YAML.", EDIT, cause=" ".join(str(error).split())) from None
    try:
        return Repositories.model_validate(document)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        # Pydantic also reports a list as too short when an item in it is invalid. That is no problem of its own.
        inside = any(len(each["loc"]) > 1 for each in errors)
        problems = [each for each in errors if not (inside and each["type"] == "too_short")]
        raise UserErrors([_error(each) for each in problems]) from None


def _error(problem: Any) -> UserError:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "missing":
        complaint = "is missing"
    elif problem["type"] == "extra_forbidden":
        complaint = "is not a known key"
    else:
        message = re.sub(r"^(Input|String|Value|Tuple) should", "should", problem["msg"])
        complaint = message.removeprefix("Value error, ")
    return UserError(f"{FILE}: {f'{place} ' if place else ''}{complaint}.", EDIT)

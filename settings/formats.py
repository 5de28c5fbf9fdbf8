"""Types of values with their patterns, used by several sections."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
)

from settings.section import InvalidSetting

Hostname = Annotated[
    str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
]
LoopbackHost = Annotated[str, Field(pattern=r"^(localhost|127(\.\d{1,3}){3}|([a-z0-9-]+\.)+localhost)(:\d{1,5})?$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
# A hand-written YAML date is read as a date; the engine passes text.
IsoDate = Annotated[str, BeforeValidator(str), Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Moment = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def past_day(value: str) -> str:
    today = datetime.now(UTC).date()
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise InvalidSetting(f"is {value}, which is no day of the calendar") from None
    if day > today:
        raise InvalidSetting(f"is {value}, and Cloudflare accepts no date after today in UTC ({today})")
    return value

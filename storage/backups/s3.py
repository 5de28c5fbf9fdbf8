"""Create boto3's S3 client, and translate its errors. boto3 is imported at the first use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from clients.http import certificate_file, proxy_for
from errors import First, Fix, Help, Remedy, SetKey
from storage.backups.errors import BackupsError, Missing

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
SET_ENDPOINT = SetKey("oracle-net:backup.endpoint", "ADDRESS")


@dataclass(frozen=True)
class Known:
    """A known failure: the problem, with fields of `translated` in it, and what helps."""

    problem: str
    help: Help


NO_BUCKET = Known("There is no bucket {bucket!r} at {at}.", First("create it there", Remedy.RETRY))
REFUSED = Known(
    f"{{at}} refuses the key in {KEY} for {{top}} ({{code}}).",
    Fix(f"export {KEY}=KEY {SECRET}=SECRET", "with a key that may read, write, list and delete there"),
)
ELSEWHERE = Known(
    "{top} at {at} is in another region than {region!r} ({code}).", SetKey("oracle-net:backup.region", "REGION")
)
KNOWN = {
    "NoSuchBucket": NO_BUCKET,
    "401": REFUSED,
    "403": REFUSED,
    "AccessDenied": REFUSED,
    "ExpiredToken": REFUSED,
    "InvalidAccessKeyId": REFUSED,
    "SignatureDoesNotMatch": REFUSED,
    "Unauthorized": REFUSED,
    "301": ELSEWHERE,
    "400": ELSEWHERE,
    "AuthorizationHeaderMalformed": ELSEWHERE,
    "IllegalLocationConstraintException": ELSEWHERE,
    "PermanentRedirect": ELSEWHERE,
    "RequestTimeTooSkewed": Known("{at} says that this machine's clock is wrong.", First("set it", Remedy.RETRY)),
}
"""Failures by error code. An answer to HEAD has no body, so its code is the HTTP status."""
OTHER = Known("{at} answered {code} for {object}.", First("wait a minute", Remedy.RETRY))
AWAY = Known("{at} does not answer ({code}) for {object}.", SET_ENDPOINT)


@dataclass(frozen=True)
class Place:
    """A bucket and a prefix in it. An `endpoint` of None is Amazon S3."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def address(self, name: str = "") -> str:
        return f"s3://{self.bucket}/{self.key(name)}".rstrip("/")

    def describe(self) -> str:
        return f"the bucket {self.address()}" + (f" at {self.endpoint}" if self.endpoint else "")


def new_client(place: Place) -> S3Client:
    """Create a client without sending a request. Raises BackupsError for missing credentials or an invalid endpoint."""
    key, secret = os.environ.get(KEY), os.environ.get(SECRET)
    if not key or not secret:
        lacking = [name for name, value in ((KEY, key), (SECRET, secret)) if not value]
        raise BackupsError(
            f"The environment lacks {' and '.join(lacking)}, so {place.describe()} cannot be opened.",
            Fix(f"export {KEY}=KEY {SECRET}=SECRET"),
        )
    import botocore.session
    from boto3 import Session

    # Ignore the profiles and endpoints in ~/.aws: they belong to the user's other projects.
    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    core.set_config_variable("config_file", os.devnull)
    core.set_config_variable("credentials_file", os.devnull)
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
    session = Session(key, secret, os.environ.get(TOKEN), place.region, botocore_session=core)
    authorities = _authorities(place)
    try:
        return session.client("s3", endpoint_url=place.endpoint, config=_config(place), verify=authorities)
    except ValueError:
        raise BackupsError(f"{place.endpoint!r} is not an address of a store.", SET_ENDPOINT) from None


def translated(error: BaseException, place: Place, name: str) -> BackupsError:
    """Translate a botocore error about the object `name`."""
    answer = getattr(error, "response", None)
    code = str(answer["Error"].get("Code", "")) if answer else type(error).__name__
    if code in ABSENT:
        return Missing(f"{place.address(name)} does not exist.", Remedy.LIST_BACKUPS)
    values = {
        "at": place.endpoint or f"Amazon S3 in {place.region}",
        "bucket": place.bucket,
        "code": code,
        "object": place.address(name),
        "region": place.region,
        "top": place.address(),
    }
    known = KNOWN.get(code, OTHER) if answer else AWAY
    return BackupsError(known.problem.format(**values), known.help)


def foreign(place: Place, name: str) -> BackupsError:
    """Return the error for an answer that is not S3's."""
    at = place.endpoint or f"Amazon S3 in {place.region}"
    return BackupsError(f"The answer of {at} for {place.address(name)} is not from an S3 store.", SET_ENDPOINT)


@cache
def _descriptions(places: str | None) -> Loader:
    """Load botocore's description of S3 and its endpoints once: it is several megabytes of JSON."""
    from botocore.loaders import create_loader

    return create_loader(places)


def _config(place: Place) -> Config:
    """Short timeouts, and no checksum headers of Amazon's own, which some other services refuse."""
    from botocore.config import Config

    return Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies=_proxies(place),
    )


def _proxies(place: Place) -> dict[str, str]:
    """The proxy of all other requests, because botocore's NO_PROXY does not support networks. Raises BackupsError."""
    proxy = proxy_for(place.endpoint or f"https://{place.bucket}.s3.{place.region}.amazonaws.com")
    if proxy is None:
        return {}
    if not proxy.usable:
        problem = f"{proxy.variable} is not the address of an HTTP proxy, so {place.describe()} cannot be reached."
        raise BackupsError(problem, Fix("export HTTPS_PROXY=http://HOST:PORT"))
    return {"http": proxy.address, "https": proxy.address}


def _authorities(place: Place) -> str | None:
    """Return the file of the system's certificate authorities; None is botocore's own choice. Raises BackupsError."""
    if os.environ.get("AWS_CA_BUNDLE"):
        return None
    try:
        return certificate_file()
    except OSError as error:
        problem = f"The certificate authorities for {place.describe()} cannot be read."
        raise BackupsError(problem, Fix("export SSL_CERT_FILE=PATH"), cause=str(error)) from None

"""Create boto3's S3 client, and translate its errors into sentences. boto3 is imported at the first use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from clients.http import certificate_file, proxy_for
from storage.backups.errors import BackupsError, Missing

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
NO_BUCKET = "There is no bucket {bucket!r} at {at}; make it there, then try again."
REFUSED = (
    f"{{at}} refuses the key in {KEY} for {{top}} ({{code}}); see that it may read, write, list and delete there: "
    f"export {KEY}=... {SECRET}=..."
)
ELSEWHERE = (
    "{at} has {top} in another region than {region!r} ({code}); "
    "set the bucket's: pulumi config set --path oracle-net:backup.region <region>"
)
SENTENCES = {
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
    "RequestTimeTooSkewed": "{at} says that this machine's clock is wrong; set it, then try again.",
}
"""Sentences by error code. An answer to HEAD has no body, so its code is the HTTP status."""
OTHER = "{at} answered {code} for {object}; try again in a minute."
AWAY = (
    "{at} does not answer ({code}) for {object}; see that it is reachable from here, "
    "or set another: pulumi config set --path oracle-net:backup.endpoint <address>"
)


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
        lacking = " and ".join(name for name, value in ((KEY, key), (SECRET, secret)) if not value)
        raise BackupsError(
            f"{place.describe()} cannot be opened: {lacking} is not in the environment; export {KEY}=... {SECRET}=..."
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
        raise BackupsError(
            f"{place.endpoint!r} is no address of a store; "
            "set one: pulumi config set --path oracle-net:backup.endpoint https://..."
        ) from None


def sentence(error: BaseException, place: Place, name: str) -> BackupsError:
    """Translate a botocore error about the object `name`."""
    answer = getattr(error, "response", None)
    code = str(answer["Error"].get("Code", "")) if answer else type(error).__name__
    if code in ABSENT:
        return Missing(f"{place.address(name)} is not there; see what is: oracle backups")
    values = {
        "at": place.endpoint or f"Amazon S3 in {place.region}",
        "bucket": place.bucket,
        "code": code,
        "object": place.address(name),
        "region": place.region,
        "top": place.address(),
    }
    return BackupsError((SENTENCES.get(code, OTHER) if answer else AWAY).format(**values))


def foreign(place: Place, name: str) -> BackupsError:
    """Return the error for an answer that is not S3's."""
    at = place.endpoint or f"Amazon S3 in {place.region}"
    return BackupsError(
        f"{at} answered for {place.address(name)} with something that is not S3's; see that it is a store's address: "
        "pulumi config set --path oracle-net:backup.endpoint <address>"
    )


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
        raise BackupsError(
            f"{place.describe()} cannot be reached: {proxy.variable} does not name an HTTP proxy; "
            "export HTTPS_PROXY=http://..."
        )
    return {"http": proxy.address, "https": proxy.address}


def _authorities(place: Place) -> str | None:
    """Return the file of the system's certificate authorities; None is botocore's own choice. Raises BackupsError."""
    if os.environ.get("AWS_CA_BUNDLE"):
        return None
    try:
        return certificate_file()
    except OSError as error:
        raise BackupsError(f"{place.describe()} cannot be opened: {error}; export SSL_CERT_FILE=...") from None

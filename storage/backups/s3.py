"""boto3's client as it is used here, and its errors as sentences; boto3 is imported when the first one is needed."""

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
"""By the code in an answer. HEAD has no body to hold one, so its code is the status."""
OTHER = "{at} answered {code} for {object}; try again in a minute."
AWAY = (
    "{at} does not answer ({code}) for {object}; see that it is reachable from here, "
    "or set another: pulumi config set --path oracle-net:backup.endpoint <address>"
)


@dataclass(frozen=True)
class Place:
    """A bucket of a server, and the prefix in it. `endpoint` None is Amazon's."""

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
    """Asks nothing yet. Raises BackupsError when there are no credentials, or the endpoint is none."""
    key, secret = os.environ.get(KEY), os.environ.get(SECRET)
    if not key or not secret:
        lacking = " and ".join(name for name, value in ((KEY, key), (SECRET, secret)) if not value)
        raise BackupsError(
            f"{place.describe()} cannot be opened: {lacking} is not in the environment; export {KEY}=... {SECRET}=..."
        )
    import botocore.session
    from boto3 import Session

    # What the files in ~/.aws say of profiles and endpoints is about somebody's other work.
    plain = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    plain.set_config_variable("config_file", os.devnull)
    plain.set_config_variable("credentials_file", os.devnull)
    plain.set_config_variable("ignore_configured_endpoint_urls", True)
    plain.register_component("data_loader", _descriptions(plain.get_config_variable("data_path")))
    session = Session(key, secret, os.environ.get(TOKEN), place.region, botocore_session=plain)
    authorities = _authorities(place)
    try:
        return session.client("s3", endpoint_url=place.endpoint, config=_config(place), verify=authorities)
    except ValueError:
        raise BackupsError(
            f"{place.endpoint!r} is no address of a store; "
            "set one: pulumi config set --path oracle-net:backup.endpoint https://..."
        ) from None


def sentence(error: BaseException, place: Place, name: str) -> BackupsError:
    """What a botocore error means for the object `name`."""
    answer = getattr(error, "response", None)
    code = str(answer["Error"].get("Code", "")) if answer else type(error).__name__
    if code in ABSENT:
        return Missing(f"{place.address(name)} is not there; see what is: oracle backups")
    words = {
        "at": place.endpoint or f"Amazon S3 in {place.region}",
        "bucket": place.bucket,
        "code": code,
        "object": place.address(name),
        "region": place.region,
        "top": place.address(),
    }
    return BackupsError((SENTENCES.get(code, OTHER) if answer else AWAY).format(**words))


def foreign(place: Place, name: str) -> BackupsError:
    """For an answer that is not one of S3's."""
    at = place.endpoint or f"Amazon S3 in {place.region}"
    return BackupsError(
        f"{at} answered for {place.address(name)} with something that is not S3's; see that it is a store's address: "
        "pulumi config set --path oracle-net:backup.endpoint <address>"
    )


@cache
def _descriptions(places: str | None) -> Loader:
    """botocore's description of S3 and of its endpoints, some megabytes of JSON: read once and not for each client."""
    from botocore.loaders import create_loader

    return create_loader(places)


def _config(place: Place) -> Config:
    """Some seconds for each try; no checksum headers of Amazon's own, which other services do not all know."""
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
    """As for all other requests; botocore's own reading of NO_PROXY knows no networks. Raises BackupsError."""
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
    """The system's certificate authorities; None leaves the choice to botocore. Raises BackupsError."""
    if os.environ.get("AWS_CA_BUNDLE"):
        return None
    try:
        return certificate_file()
    except OSError as error:
        raise BackupsError(f"{place.describe()} cannot be opened: {error}; export SSL_CERT_FILE=...") from None

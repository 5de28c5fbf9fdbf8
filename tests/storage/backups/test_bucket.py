"""A bucket of a real S3 server: its requests, and the errors."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import httpx
import pytest
from urllib3.exceptions import ProtocolError

from clients.http import certificate_file
from storage.backups import BackupCatalog, BackupsError, Bucket
from storage.backups.errors import Missing
from tests.storage.backups.conftest import ABOUT, CONTENTS, PROD
from tests.support.errors import raises_text
from tests.support.scripted import HTML, Reply, scripted
from tests.support.waiting import free_port


@pytest.fixture
def calls(bucket: Bucket) -> list[str]:
    """The operations that the bucket's client sends, as they are sent."""
    sent: list[str] = []
    bucket._client().meta.events.register("before-call.s3", lambda model, **_: sent.append(model.name))
    return sent


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Twenty megabytes and one byte that do not repeat at a part's borders."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(20):
            file.write(os.urandom(16) * (1 << 16) if number else os.urandom(1 << 20))
        file.write(b"!")
    return path


def test_a_large_object_is_uploaded_in_parts(bucket: Bucket, calls: list[str], large: Path, tmp_path: Path) -> None:
    bucket.put("prod/large", large)
    assert calls == ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload"]
    calls.clear()
    bucket.get("prod/large", tmp_path / "back")
    assert calls == ["GetObject"]
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_a_small_object_is_uploaded_in_one_request(bucket: Bucket, calls: list[str], archive: Path) -> None:
    bucket.put("prod/small", archive)
    assert calls == ["PutObject"]


def test_objects_are_stored_below_the_prefix(bucket: Bucket, s3: str) -> None:
    bucket.write_text("prod/a.json", "{}")
    above = Bucket(bucket.place.bucket, endpoint=s3)
    assert above.names("") == ["deep/inside/prod/a.json"]
    assert Bucket(bucket.place.bucket, "deep/ins", endpoint=s3).names("") == []


def test_names_are_listed_over_several_pages(bucket: Bucket, calls: list[str]) -> None:
    def two_at_a_time(params: dict[str, Any], **_: object) -> None:
        params["MaxKeys"] = 2

    bucket._client().meta.events.register("provide-client-params.s3.ListObjectsV2", two_at_a_time)
    for number in range(5):
        bucket.write_text(f"n/{number}", "")
    assert bucket.names("n/") == [f"n/{number}" for number in range(5)]
    assert calls.count("ListObjectsV2") == 3


@contextmanager
def breaking(bucket: Bucket, after: int, times: int) -> Iterator[None]:
    """The first `times` answers with a body end with a broken connection after `after` bytes."""
    left = [times]

    def cut(parsed: dict[str, Any], **_: object) -> None:
        if "Body" not in parsed or not left[0]:
            return
        left[0] -= 1
        read, given = parsed["Body"].read, [0]

        def broken(size: int | None = None) -> bytes:
            if given[0] >= after:
                raise ProtocolError("Connection broken")
            piece: bytes = read(min(size or after, after - given[0]))
            given[0] += len(piece)
            return piece

        parsed["Body"].read = broken

    events = bucket._client().meta.events
    events.register("after-call.s3.GetObject", cut)
    try:
        yield
    finally:
        events.unregister("after-call.s3.GetObject", cut)


def test_a_broken_download_continues_at_its_last_byte(
    bucket: Bucket, calls: list[str], large: Path, tmp_path: Path
) -> None:
    bucket.put("prod/large", large)
    calls.clear()
    with breaking(bucket, 2_000_000, 8):
        bucket.get("prod/large", tmp_path / "back")
    assert calls == ["GetObject"] * 9
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_a_download_that_breaks_repeatedly_is_an_error(
    bucket: Bucket, calls: list[str], large: Path, tmp_path: Path
) -> None:
    bucket.put("prod/large", large)
    calls.clear()
    with breaking(bucket, 0, 100), pytest.raises(BackupsError, match="broke 6 times at byte 0"):
        bucket.get("prod/large", tmp_path / "back")
    assert calls == ["GetObject"] * 6
    assert not (tmp_path / "back").exists()


def test_a_download_does_not_continue_with_a_changed_object(
    bucket: Bucket, large: Path, archive: Path, tmp_path: Path
) -> None:
    bucket.put("prod/large", large)
    with breaking(bucket, 1_000_000, 1), bucket.open("prod/large") as source:
        source.read(500_000)
        large.write_bytes(bytes(large.stat().st_size))
        bucket.put("prod/large", large)
        with pytest.raises(BackupsError, match="PreconditionFailed"):
            source.read()


def test_a_failed_upload_leaves_no_parts(bucket: Bucket, large: Path) -> None:
    def refuse(params: dict[str, Any], **_: object) -> None:
        if params["query_string"].get("partNumber") == 3:
            raise OSError(5, "Input/output error")

    bucket._client().meta.events.register("before-call.s3.UploadPart", refuse)
    with pytest.raises(BackupsError, match="input/output error"):
        bucket.put("prod/large", large)
    assert bucket.names("") == []
    assert "Uploads" not in bucket._client().list_multipart_uploads(Bucket=bucket.place.bucket)


Use = Callable[[Bucket, Path], object]
USES = [
    pytest.param(lambda bucket, file: bucket.put("prod/a", file), id="put"),
    pytest.param(lambda bucket, file: bucket.get("prod/a", file.with_name("back")), id="get"),
    pytest.param(lambda bucket, file: bucket.size("prod/a"), id="size"),
    pytest.param(lambda bucket, file: bucket.write_text("prod/a", ""), id="write_text"),
    pytest.param(lambda bucket, file: bucket.names("prod/"), id="names"),
    pytest.param(lambda bucket, file: bucket.delete("prod/a"), id="delete"),
]


@pytest.mark.parametrize("use", [use for use in USES if use.id != "size"])
def test_a_missing_bucket_is_reported(use: Use, s3: str, credentials: None, archive: Path) -> None:
    with raises_text(BackupsError, rf"There is no bucket 'nowhere-at-all' at {s3}\. Fix: create it there") as told:
        use(Bucket("nowhere-at-all", endpoint=s3), archive)
    assert not isinstance(told.value, Missing)


@pytest.mark.parametrize("lacking", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_are_reported(
    lacking: str, s3: str, credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(lacking)
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    text = rf"^The environment lacks {lacking}, so the bucket .* cannot be opened\. Fix: run `export AWS_"
    with raises_text(BackupsError, text) as told:
        Bucket("bucket", endpoint=s3).names("")
    assert "somebody" not in str(told.value)


def test_the_users_aws_profile_and_endpoint_are_ignored(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-another-job")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    again = Bucket(bucket.place.bucket, endpoint=bucket.place.endpoint)
    assert again.names("") == []
    assert Bucket(bucket.place.bucket)._client().meta.endpoint_url == "https://s3.amazonaws.com"


@pytest.fixture
def strict(s3: str) -> Iterator[None]:
    """The server checks keys and signatures."""
    httpx.post(f"{s3}/moto-api/reset-auth", content="0")
    yield
    httpx.post(f"{s3}/moto-api/reset-auth", content="inf")


@pytest.mark.parametrize("use", USES)
def test_a_refused_key_is_reported(use: Use, bucket: Bucket, strict: None, archive: Path) -> None:
    text = r"refuses the key in AWS_ACCESS_KEY_ID for s3://.*\. Fix: run `export AWS_.*` with a key that may read"
    with raises_text(BackupsError, text) as told:
        use(bucket, archive)
    assert "secret-of-somebody" not in str(told.value)


@pytest.mark.parametrize("use", USES)
def test_an_unreachable_server_is_reported(use: Use, credentials: None, archive: Path) -> None:
    text = r"does not answer \(EndpointConnectionError\).*\. Fix: run `pulumi .* oracle-net:backup\.endpoint ADDRESS"
    with raises_text(BackupsError, text):
        use(Bucket("bucket", endpoint=f"http://127.0.0.1:{free_port()}"), archive)


@pytest.mark.parametrize("endpoint", ["no address", "http://", "127.0.0.1:9000"])
def test_an_invalid_endpoint_is_reported(endpoint: str, credentials: None) -> None:
    with pytest.raises(BackupsError, match="is not an address of a store"):
        Bucket("bucket", endpoint=endpoint).names("")


def answering(bucket: Bucket, status: int, code: str) -> None:
    """The bucket's server answers every listing so."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders

    body = f"<Error><Code>{code}</Code><Message>words of the server</Message></Error>".encode()

    class Raw(io.BytesIO):
        def stream(self, *_: object, **__: object) -> Iterator[bytes]:
            yield self.read()

    def answer(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, status, HTTPHeaders(), Raw(body))

    bucket._client().meta.events.register("before-send.s3.ListObjectsV2", answer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "status, code, sentence",
    [
        (400, "AuthorizationHeaderMalformed", r"in another region than 'us-east-1'.*backup\.region"),
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (403, "AccessDenied", r"refuses the key in AWS_ACCESS_KEY_ID.*\(AccessDenied\)"),
        (409, "OperationAborted", r"answered OperationAborted for .*\. Fix: wait a minute"),
    ],
)
def test_an_error_of_the_server_is_one_sentence(bucket: Bucket, status: int, code: str, sentence: str) -> None:
    answering(bucket, status, code)
    with raises_text(BackupsError, sentence) as told:
        bucket.names("")
    assert len(str(told.value).splitlines()) == 1


def test_the_proxy_is_not_used_for_loopback(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert Bucket(bucket.place.bucket, endpoint=bucket.place.endpoint).names("") == []


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, credentials: None) -> None:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (*names, *map(str.lower, names), "SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def test_the_proxy_is_used_for_other_hosts(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(
        {"http://store.example/b": [Reply("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")]}
    ) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        assert Bucket("b", endpoint="http://store.example").names("") == []
        assert proxy.asked[0].startswith("GET http://store.example/b?list-type=2")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:1")
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
        config: Any = Bucket("b", endpoint="https://10.1.1.1")._client().meta.config
        assert config.proxies == {}
        config = Bucket("b")._client().meta.config
        assert config.proxies == {"http": "http://proxy.test:1", "https": "http://proxy.test:1"}


def test_an_unusable_proxy_is_reported(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:planted-password@127.0.0.1:1")
    problem = r"^ALL_PROXY is not the address of an HTTP proxy, so the bucket .* cannot be reached\."
    text = rf"{problem} Fix: run `export HTTPS_PROXY=http://HOST:PORT`"
    with raises_text(BackupsError, text) as told:
        Bucket("b", endpoint="https://store.example").names("")
    assert "planted-password" not in str(told.value)


def test_certificates_are_those_of_the_system_or_ssl_cert_file(
    environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def authorities() -> Any:
        return Bucket("b")._client()._endpoint.http_session._verify  # type: ignore[attr-defined]

    assert authorities() == (certificate_file() or True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file()))
    assert authorities() == certificate_file()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(BackupsError, match=r"SSL_CERT_FILE names .*none\.pem, which cannot be used \(No such file"):
        authorities()


@pytest.mark.parametrize("page", ["<html><body>Please log in</body></html>", HTML, "{}", ""])
def test_an_html_page_instead_of_a_store_is_an_error(environment: None, page: str, tmp_path: Path) -> None:
    """botocore accepts any XML as an empty list, and reports anything else as an error of the server."""
    foreign = r"is not from an S3 store\. Fix: run `pulumi config set --path oracle-net:backup\.endpoint ADDRESS"
    with scripted({"/b": [Reply(page, kind="text/html")], "/b/one": [Reply(page, kind="text/html")]}) as server:
        bucket = Bucket("b", endpoint=server.address)
        with raises_text(BackupsError, rf"{foreign}|answered 500 for s3://b\. Fix: wait a minute"):
            bucket.names("")
        with raises_text(BackupsError, foreign):
            bucket.read_text("one")
        with raises_text(BackupsError, foreign):
            bucket.get("one", tmp_path / "one")


def test_timeouts_and_retries_are_limited(bucket: Bucket) -> None:
    config: Any = bucket._client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert config.retries["total_max_attempts"] == 3


def test_boto3_is_imported_only_when_it_is_needed() -> None:
    said = (
        "import sys, storage.backups; print([name for name in ('boto3', 'pyrage', 'pydantic') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"


SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def s3_elsewhere() -> Iterator[str]:
    """An S3 server in a process of its own: what it holds of the objects is not in this one's memory."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def test_a_large_backup_is_never_completely_in_memory(
    s3_elsewhere: str, credentials: None, key: str, scratch: Path, large: Path, tmp_path: Path
) -> None:
    bucket = Bucket("bucket-of-memory", endpoint=s3_elsewhere)
    bucket._client().create_bucket(Bucket=bucket.place.bucket)
    catalog = BackupCatalog(bucket, PROD, key, scratch)
    catalog.check_writable()
    tracemalloc.start()
    try:
        backup = catalog.add(large, ABOUT, CONTENTS)
        catalog.fetch(backup.id, tmp_path / "back")
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "back").stat().st_size == backup.size

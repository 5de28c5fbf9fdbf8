"""A store in an S3-compatible bucket: Amazon S3, Cloudflare R2, DigitalOcean Spaces, MinIO.

Credentials come only from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment. Features that some of these
services lack are not used: Amazon's checksum headers, versions, object locks.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from errors import First, Remedy
from storage.backups.errors import BackupsError, Missing, disk
from storage.backups.files import copy, whole
from storage.backups.s3 import Place, foreign, new_client, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
PART_SIZE = 8 << 20
"""Bytes of one part of a large upload. Parts are read from the disk and sent one at a time."""
RESUMES = 5
"""How many times in a row a download resumes after a broken connection."""


class Bucket:
    """Objects below `prefix` in a bucket. The first request creates the client, because boto3 is slow to import."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None, region: str | None = None) -> None:
        self.place = Place(bucket, prefix.strip("/"), endpoint, region or "us-east-1")
        self._cached_client: S3Client | None = None

    def put(self, name: str, source: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        # One thread, because ten threads would hold ten parts in memory. "classic", because the other client has rules
        # of its own.
        config = TransferConfig(
            multipart_threshold=PART_SIZE,
            multipart_chunksize=PART_SIZE,
            use_threads=False,
            preferred_transfer_client="classic",
        )
        try:
            self._ask(
                name, lambda s3: s3.upload_file(str(source), self.place.bucket, self.place.key(name), Config=config)
            )
        except OSError as error:
            raise disk(error, source) from None

    def get(self, name: str, target: Path) -> None:
        with self.open(name) as source, whole(target) as sink:
            copy(source, sink)

    def open(self, name: str) -> BinaryIO:
        bucket, key = self.place.bucket, self.place.key(name)

        def request(start: int, tag: str | None) -> dict[str, Any]:
            options: dict[str, Any] = {"Range": f"bytes={start}-", "IfMatch": tag} if start else {}
            return self._ask(name, lambda s3: _used_fields(s3.get_object(Bucket=bucket, Key=key, **options)))

        return cast(BinaryIO, io.BufferedReader(_ResumingReader(request, self.place.address(name)), 1 << 16))

    def size(self, name: str) -> int | None:
        bucket, key = self.place.bucket, self.place.key(name)
        try:
            return self._ask(name, lambda s3: s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
        except Missing:
            return None

    def write_text(self, name: str, text: str) -> None:
        bucket, key = self.place.bucket, self.place.key(name)
        self._ask(name, lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=text.encode()))

    def read_text(self, name: str) -> str | None:
        try:
            with self.open(name) as source:
                return source.read().decode(errors="replace")
        except Missing:
            return None

    def sizes(self, prefix: str) -> dict[str, int]:
        def listed(s3: S3Client) -> dict[str, int]:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=self.place.key(prefix)
            )
            return {entry["Key"]: int(entry["Size"]) for page in pages for entry in _entries(page)}

        above = len(self.place.key(""))
        return {key[above:]: size for key, size in sorted(self._ask(prefix, listed).items())}

    def names(self, prefix: str) -> list[str]:
        return list(self.sizes(prefix))

    def delete(self, name: str) -> None:
        self._ask(name, lambda s3: s3.delete_object(Bucket=self.place.bucket, Key=self.place.key(name)))

    def describe(self) -> str:
        return self.place.describe()

    def _ask(self, name: str, request: Callable[[S3Client], T]) -> T:
        """Send one request and return its result. Raises BackupsError, and OSError for the local disk."""
        client = self._client()
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return request(client)
        except S3UploadFailedError as error:
            raise translated(error.__context__ or error, self.place, name) from None
        except (BotoCoreError, ClientError) as error:
            raise translated(error, self.place, name) from None
        except (ResponseParserError, KeyError):
            raise foreign(self.place, name) from None

    def _client(self) -> S3Client:
        self._cached_client = self._cached_client or new_client(self.place)
        return self._cached_client


def _entries(page: Mapping[str, Any]) -> list[Any]:
    """Return the entries of a list page. Raises KeyError for any other answer: it must not pass for an empty list."""
    if "IsTruncated" not in page:
        raise KeyError("IsTruncated")
    return list(page.get("Contents", []))


def _used_fields(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the used fields of a GetObject answer. Raises KeyError for any other answer."""
    return {key: answer[key] for key in ("Body", "ETag", "ContentLength")}


class _ResumingReader(io.RawIOBase):
    """An object's bytes, as a stream that reconnects where a connection broke, as long as the object is unchanged.

    `request(start, tag)` returns the answer to a GetObject from byte `start` on; `tag` is the ETag of the first answer.
    """

    def __init__(self, request: Callable[[int, str | None], dict[str, Any]], where: str) -> None:
        super().__init__()
        self._request, self._where = request, where
        self._at, self._broken = 0, 0
        answer = request(0, None)
        self._body, self._tag = answer["Body"], answer["ETag"]
        self._size = int(answer["ContentLength"])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        piece = self._read(len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

    def _read(self, size: int) -> bytes:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        while self._at < self._size:
            try:
                piece: bytes = self._body.read(min(size, self._size - self._at))
                if piece:
                    self._broken = 0
                    return piece
            except (BotoCoreError, HTTPError, OSError):
                pass
            self._resume()
        return b""

    def _resume(self) -> None:
        self._body.close()
        self._broken += 1
        if self._broken > RESUMES:
            problem = f"The download of {self._where} broke {self._broken} times at byte {self._at}."
            raise BackupsError(problem, First("wait a minute", Remedy.RETRY))
        self._body = self._request(self._at, self._tag)["Body"]

"""A store in a bucket that speaks S3: Amazon's, Cloudflare R2, DigitalOcean Spaces, MinIO.

Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment and from nowhere else. Only what
all these services have is used: no checksum headers of Amazon's own, no versions, no object locks.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from storage.backups.errors import BackupsError, Missing, disk
from storage.backups.files import copy, whole
from storage.backups.s3 import Place, foreign, new_client, sentence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
PART_SIZE = 8 << 20
"""Bytes of a part of a large upload; a part is read from the disk as it is sent, one part at a time."""
RESUMES = 5
"""Broken connections in a row that a download survives."""


class Bucket:
    """Objects below `prefix` in a bucket. The client is made at the first request: boto3 takes long to import."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None, region: str | None = None) -> None:
        self.place = Place(bucket, prefix.strip("/"), endpoint, region or "us-east-1")
        self._made: S3Client | None = None

    def put(self, name: str, source: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        # One thread: ten parts at once would be in memory. "classic": the other client comes with rules of its own.
        how = TransferConfig(
            multipart_threshold=PART_SIZE,
            multipart_chunksize=PART_SIZE,
            use_threads=False,
            preferred_transfer_client="classic",
        )
        try:
            self._ask(name, lambda s3: s3.upload_file(str(source), self.place.bucket, self.place.key(name), Config=how))
        except OSError as error:
            raise disk(error, source) from None

    def get(self, name: str, target: Path) -> None:
        with self.open(name) as source, whole(target) as sink:
            copy(source, sink)

    def open(self, name: str) -> BinaryIO:
        bucket, key = self.place.bucket, self.place.key(name)

        def request(start: int, tag: str | None) -> dict[str, Any]:
            options: dict[str, Any] = {"Range": f"bytes={start}-", "IfMatch": tag} if start else {}
            return self._ask(name, lambda s3: _parts(s3.get_object(Bucket=bucket, Key=key, **options)))

        return cast(BinaryIO, io.BufferedReader(_Resuming(request, self.place.address(name)), 1 << 16))

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
        """The answer to one request. Raises BackupsError; an OSError is the local disk's."""
        client = self._client()
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return request(client)
        except S3UploadFailedError as error:
            raise sentence(error.__context__ or error, self.place, name) from None
        except (BotoCoreError, ClientError) as error:
            raise sentence(error, self.place, name) from None
        except (ResponseParserError, KeyError):
            raise foreign(self.place, name) from None

    def _client(self) -> S3Client:
        self._made = self._made or new_client(self.place)
        return self._made


def _entries(page: Mapping[str, Any]) -> list[Any]:
    """What a page of a list holds. Raises KeyError where it is no such page: an empty one would be good news."""
    if "IsTruncated" not in page:
        raise KeyError("IsTruncated")
    return list(page.get("Contents", []))


def _parts(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is used of a GetObject's answer. Raises KeyError where it is not one."""
    return {key: answer[key] for key in ("Body", "ETag", "ContentLength")}


class _Resuming(io.RawIOBase):
    """An object's bytes. A connection that breaks is made again where it broke, as long as the object is the same.

    `request(start, tag)` answers a GetObject from byte `start` on; `tag` is the object's ETag from the first answer.
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
            raise BackupsError(f"{self._where} breaks off at byte {self._at} again and again; try again later.")
        self._body = self._request(self._at, self._tag)["Body"]

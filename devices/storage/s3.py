"""Files in a bucket of any service that speaks S3. They come and go there directly, with its own signatures."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import ClientError
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage

from devices.storage.backends import Content, PresignedPost

SECONDS = 3  # to connect, and between two pieces: a call waits for the answer where it looks for an upload
TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a field


class BucketStorage(S3Storage):
    embedded = False

    def __init__(self, **options: Any) -> None:
        super().__init__(
            signature_version="s3v4",
            client_config=Config(
                signature_version="s3v4",
                connect_timeout=SECONDS,
                read_timeout=10 * SECONDS,
                retries={"total_max_attempts": 2},
            ),
            **options,
        )

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        # Clients want this field also where the credentials have no session: it is empty then, and signed as such.
        credentials = self.connection.meta.client._request_signer._credentials  # noqa: SLF001 - boto3 shows it nowhere
        session = {} if credentials.token else {TOKEN: ""}
        post = self._client.generate_presigned_post(
            self.bucket_name,
            key,
            Fields=dict(session),
            Conditions=[*({name: value} for name, value in session.items()), ["content-length-range", 1, maximum]],
            ExpiresIn=int(lifetime.total_seconds()),
        )
        fields = post["fields"]
        order = ("key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", TOKEN, "policy", "x-amz-signature")
        return PresignedPost(post["url"].rstrip("/") + "/", {name: fields[name] for name in order})

    def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
        disposition = content_disposition_header(True, filename) or "attachment"
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket_name, "Key": key, "ResponseContentDisposition": disposition},
            ExpiresIn=int(lifetime.total_seconds()),
        )
        return url

    def find(self, key: str) -> Content | None:
        try:
            found = self._client.head_object(Bucket=self.bucket_name, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        etag = found["ETag"].strip('"')
        return Content(found["ContentLength"], etag if len(etag) == 32 and "ServerSideEncryption" not in found else "")

    @contextmanager
    def local(self, key: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as file:
            try:
                self._client.download_fileobj(self.bucket_name, key, file)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    raise FileNotFoundError(key) from None
                raise
            file.seek(0)
            yield file

    def write(self, key: str, chunks: Iterable[bytes]) -> Content:
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with tempfile.TemporaryFile() as file:
            for chunk in chunks:
                sha256.update(chunk)
                md5.update(chunk)
                size += file.write(chunk)
            file.seek(0)
            self._client.upload_fileobj(file, self.bucket_name, key)
        return Content(size, md5.hexdigest(), sha256.hexdigest())

    def delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self.bucket_name, Key=name)

    def clean_up(self) -> int:
        return 0  # the service itself drops what was interrupted

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

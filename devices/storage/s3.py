"""Files in a bucket of any service that supports S3. Clients upload and download there directly, by its signatures."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage

from access.outgoing import authorities, configured_proxy, proxy_for
from devices.storage.backends import Content, Incoming, PresignedPost, StorageAway, Writing

SECONDS = 3  # to connect, and for an answer that a call of the API waits for; the content of a file has ten times that
TOKEN = "x-amz-security-token"  # noqa: S105 - only the name of a field


logger = logging.getLogger(__name__)


class IncomingObject(Incoming):
    """A file that stays on this machine until it is complete, because a bucket has no incomplete objects."""

    def __init__(self, file: BinaryIO, client: Any, bucket: str, key: str) -> None:
        super().__init__(file)
        self._client, self._bucket, self._key = client, bucket, key

    def sync(self) -> None:
        self._file.seek(0)
        try:
            self._client.upload_fileobj(self._file, self._bucket, self._key)
        except (BotoCoreError, ClientError, S3UploadFailedError) as error:
            logger.exception("The bucket did not take a file.")
            raise StorageAway from error

    def publish(self) -> None:
        """Does nothing, because `sync` has already put the object into the bucket. Only the row is missing."""


class BucketStorage(Writing, S3Storage):
    embedded = False

    def __init__(self, **options: Any) -> None:
        # Some services do not have a host name for each bucket.
        style = "path" if options.get("endpoint_url") else "auto"
        proxy = proxy_for(urlsplit(options.get("endpoint_url") or "https://s3.amazonaws.com").hostname or "")
        # None: the variables that boto3 itself reads are in force.
        direct: dict[str, str] | None = {} if configured_proxy() else None
        super().__init__(
            signature_version="s3v4",
            client_config=Config(
                s3={"addressing_style": style},
                signature_version="s3v4",
                connect_timeout=SECONDS,
                read_timeout=10 * SECONDS,
                retries={"total_max_attempts": 2},
                proxies={"https": proxy.url, "http": proxy.url} if proxy else direct,
            ),
            verify=authorities(),
            **options,
        )

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        # Clients require this field even if the credentials have no session. It is then empty, and signed as empty.
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
            found = self._quick_client.head_object(Bucket=self.bucket_name, Key=key)
        except (BotoCoreError, ClientError) as error:
            if _is_missing(error):
                return None
            logger.exception("The bucket did not answer.")
            raise StorageAway from error
        etag = found["ETag"].strip('"')
        return Content(found["ContentLength"], etag if len(etag) == 32 and "ServerSideEncryption" not in found else "")

    @contextmanager
    def local(self, key: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as file:
            try:
                self._client.download_fileobj(self.bucket_name, key, file)
            except ClientError as error:
                if _is_missing(error):
                    raise FileNotFoundError(key) from None
                raise
            file.seek(0)
            yield file

    @contextmanager
    def incoming(self, key: str) -> Iterator[Incoming]:
        with tempfile.TemporaryFile() as file:
            yield IncomingObject(file, self._client, self.bucket_name, key)

    def delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self.bucket_name, Key=name)

    def check(self) -> None:
        try:
            self._client.head_object(Bucket=self.bucket_name, Key="readyz")
        except ClientError as error:
            # An identity that may not list the bucket gets 403 for a key that does not exist.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {403, 404}:
                raise StorageAway from error
        except BotoCoreError as error:
            raise StorageAway from error

    def clean_up(self) -> int:
        return 0  # the service itself deletes interrupted uploads

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    @property
    def _quick_client(self) -> Any:
        """A client that waits for an answer as long as for a connection, because a call of the API waits for it."""
        if not hasattr(self._connections, "quick"):
            self._connections.quick = self._create_session().client(
                "s3",
                region_name=self.region_name,
                use_ssl=self.use_ssl,
                endpoint_url=self.endpoint_url,
                config=self.client_config.merge(Config(read_timeout=SECONDS)),
                verify=self.verify,
            )
        return self._connections.quick


def _is_missing(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] == 404

"""The storage of files, and the origins at which browsers reach them."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Files(NamedTuple):
    """An entry of STORAGES, and the origins of its upload forms and download links."""

    storage: dict[str, Any]
    origins: list[str]


def in_directory(directory: str, *, api: str) -> Files:
    """Files on this machine, which the hosts of the API serve; `api` is the origin of all of them."""
    storage = {"BACKEND": "devices.storage.embedded.EmbeddedStorage", "OPTIONS": {"location": directory}}
    return Files(storage, [api])


def in_bucket(bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str) -> Files:
    """Files in a bucket of AWS or, with `endpoint`, of another service. If the keys are empty, boto3 looks for them."""
    options = {
        "bucket_name": bucket,
        "endpoint_url": endpoint or None,
        "region_name": region or None,
        "access_key": access_key or None,
        "secret_key": secret_key or None,
    }
    if endpoint:
        parts = urlsplit(endpoint)
        origins = [f"{parts.scheme}://{parts.netloc}"]
    else:
        hosts = ["s3", f"s3.{region}"] if region else ["s3"]  # boto3 uses either one
        origins = [f"https://{bucket}.{host}.amazonaws.com" for host in hosts]
    return Files({"BACKEND": "devices.storage.s3.BucketStorage", "OPTIONS": options}, origins)

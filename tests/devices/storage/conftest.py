from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.storage import storages
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from access.http.slow_clients import SlowClients
from tests import seaweedfs
from tests.scratch import scratch

BUCKET = "devices.storage.s3.BucketStorage"


@pytest.fixture(scope="session")
def seaweed() -> Iterator[dict[str, Any]]:
    """The options of a bucket on a server that runs for these tests."""
    with scratch("seaweedfs") as directory:
        options = {
            "bucket_name": seaweedfs.BUCKET,
            "endpoint_url": (directory / "url").read_text(),
            "region_name": "us-east-1",
            "access_key": seaweedfs.ACCESS_KEY,
            "secret_key": seaweedfs.SECRET_KEY,
        }
        storage: Any = storages.create_storage({"BACKEND": BUCKET, "OPTIONS": options})
        storage.connection.meta.client.create_bucket(Bucket=seaweedfs.BUCKET)
        yield options


@pytest.fixture(params=["embedded", pytest.param("bucket", marks=[pytest.mark.slow, pytest.mark.sqlite_only])])
def storage(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """The storage that has the files of this test."""
    if request.param == "bucket":
        backend = {"BACKEND": BUCKET, "OPTIONS": request.getfixturevalue("seaweed")}
    else:
        backend = {**settings.STORAGES["files"], "OPTIONS": {"location": str(tmp_path / "files")}}
    settings.STORAGES = {**settings.STORAGES, "files": backend}
    return str(request.param)


@pytest.fixture
def client(storage: str) -> Iterator[httpx.Client]:
    """An ordinary client: it calls the bucket over the network, and our own door through the WSGI application."""
    application: Any = SlowClients(get_wsgi_application(), threads=4, transfers=2)
    # Django's own test client does the same, because the test's transaction is in this connection.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    mounts = {"all://*.api.iru.test": httpx.WSGITransport(application)}
    with httpx.Client(mounts=mounts, timeout=30) as client:
        yield client
    for signal in signals:
        signal.connect(close_old_connections)

"""The origins to which browsers may upload files. The content security policy names them."""

import pytest

from iru.files import in_bucket, in_directory


def test_files_of_this_machine_are_at_the_hosts_of_the_api() -> None:
    files = in_directory("/srv/iru/files", api="https://*.api.iru.test")
    assert files.origins == ["https://*.api.iru.test"]
    assert files.storage["OPTIONS"] == {"location": "/srv/iru/files"}


@pytest.mark.parametrize(
    ("endpoint", "region", "origins"),
    [
        ("https://s3.example.com:9000/path", "", ["https://s3.example.com:9000"]),
        ("", "", ["https://apps.s3.amazonaws.com"]),
        ("", "eu-central-1", ["https://apps.s3.amazonaws.com", "https://apps.s3.eu-central-1.amazonaws.com"]),
    ],
)
def test_files_in_a_bucket_are_where_its_forms_lead(endpoint: str, region: str, origins: list[str]) -> None:
    files = in_bucket("apps", endpoint=endpoint, region=region, access_key="", secret_key="")
    assert files.origins == origins
    assert files.storage["OPTIONS"]["endpoint_url"] == (endpoint or None)
    assert files.storage["OPTIONS"]["access_key"] is None

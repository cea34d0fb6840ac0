from collections.abc import Callable
from typing import Any

import pytest

from devices.fleet import record_pages
from tests.types import Call, IssuedApiToken, IssueToken

pytestmark = pytest.mark.slow


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_devices", "get_device", "update_device", "delete_device")


@pytest.fixture
def listed(api: Call, token: IssuedApiToken) -> Callable[[str], list[str]]:
    """The names that a query of the list answers, in order."""

    def listed(query: str = "") -> list[str]:
        answer = api("GET", f"/api/v1/devices?{query}", token)
        assert answer.status_code == 200, answer.content
        return [device["device_name"] for device in answer.json()]

    return listed


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "alpha beta gamma delta"),
        ("asset_tag=a-1", "alpha"),
        ("blueprint_id={design.uuid}", "alpha beta"),
        ("blueprint_id=BBBBBBBB-1111", "gamma delta"),
        ("device_id={alpha.uuid}", "alpha"),
        ("device_name=ALPH", "alpha"),
        ("filevault_enabled=true", "alpha"),
        ("filevault_enabled=False", "beta"),
        ("mac_address=aa:bb:cc:00:11:22", "alpha"),
        ("mac_address=aa:bb:cc", ""),
        ("model=mac", "alpha beta"),
        ("os_version=18.1", "gamma delta"),
        ("platform=mac", "alpha beta"),
        ("platform=iphone", "gamma"),
        ("platform=APPLETV", "delta"),
        ("serial_number=bbb", "beta"),
        ("tag_name=VIP", "alpha"),
        ("tag_name=vip", ""),
        ("tag_name_in=VIP,loaner", "alpha beta"),
        ("tag_name_in=VIP%20,%20loaner", "alpha beta"),
        ("tag_name_in=nothing", ""),
        ("tag_id={vip.uuid}", "alpha"),
        ("tag_id_in={vip.uuid},{loaner.uuid}", "alpha beta"),
        ("tag_id_in={vip.uuid},%20{loaner.uuid}", "alpha beta"),
        ("user=ann", "alpha"),
        ("user_name=FISHER", "alpha"),
        ("user_email=ann", "alpha beta"),
        ("user_email_exact=ann@accuhive.test", "alpha"),
        ("user_email_exact=ann", ""),
        ("user_id={ann.uuid}", "alpha"),
        ("platform=&model=", "alpha beta gamma delta"),
        ("model=mac&user=ann&tag_name=VIP", "alpha"),
        ("model=100%25", ""),
        ("device_name=_lpha", ""),
        ("ordering=device_name", "alpha beta delta gamma"),
        ("ordering=-device_name", "gamma delta beta alpha"),
        ("ordering=device_name,", "alpha beta delta gamma"),
        ("ordering=,%20,-device_name", "gamma delta beta alpha"),
        ("ordering=last_check_in", "beta alpha delta gamma"),
        ("ordering=-last_check_in", "gamma delta alpha beta"),
        ("ordering=-user", "beta alpha delta gamma"),
        ("ordering=user", "gamma delta alpha beta"),
        ("ordering=platform,-os_version", "delta alpha beta gamma"),
        ("ordering=platform%20,%20-os_version", "delta alpha beta gamma"),
        ("ordering=blueprint_id,-device_name", "beta alpha gamma delta"),
        ("ordering=device_name&limit=2&offset=1", "beta delta"),
    ],
)
@pytest.mark.parametrize("few", [0, 3000], ids=["many match", "few match"])
def test_filters_and_orders(
    few: int,
    query: str,
    names: str,
    listed: Callable[[str], list[str]],
    mixed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_pages, "FEW", few)
    assert listed(query.format(**mixed)) == names.split()


def test_a_filtered_list_shows_the_number_of_matches(api: Call, token: IssuedApiToken, mixed: dict[str, Any]) -> None:
    answer = api("GET", "/api/v1/devices?model=mac&limit=1", token)
    assert (answer["X-Total-Count"], answer["X-Total-Pages"]) == ("2", "2")
    assert "model=mac&limit=1&offset=1" in answer["Link"]
    beyond = api("GET", "/api/v1/devices?model=mac&offset=5", token)
    assert (beyond.json(), beyond["X-Total-Count"]) == ([], "2")


def test_an_unknown_ordering_names_the_known_ones(api: Call, token: IssuedApiToken) -> None:
    answer = api("GET", "/api/v1/devices?ordering=device_name,record", token)
    assert answer.status_code == 400
    assert answer.json()["ordering"][0].startswith('"record" is not one of asset_tag,')


# --- Changing one -----------------------------------------------------------------------------------------------------

"""The ways in which published clients page through the lists, and the facts that they rely on beside the shapes.

`tests/clients` runs the vendor's own programs unchanged. These are other clients, rewritten here from their sources.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from access.models import Tenant
from tests.contract import OPERATIONS
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.api.shapes import mismatches
from tests.devices.prism.reports import REPORTED, app, fleet_with_apps, report
from tests.factories.devices import DeviceFactory, TagFactory, UserFactory, VulnerabilityDetectionFactory
from tests.types import Call, IssuedApiToken, IssueToken

pytestmark = pytest.mark.django_db

PRISM = "/api/v1/prism"
# Rows of the public API, without the columns that do not come from the device's report.
RECORDED: dict[str, list[dict[str, Any]]] = {
    "activation_lock": [
        {
            "device_activation_lock_status": None,
            "user_activation_lock_status": False,
            "device_albc": None,
            "user_albc_escrowed": True,
            "bypass_code_expired": False,
            "user_activation_lock_allowed": False,
            "is_activation_lock_supported": True,
        }
    ],
    "desktop_and_screensaver": [
        {
            "screensaver_interval": interval,
            "user_account": account,
            "screensaver_path": path,
            "uses_random_screensaver": False,
            "show_with_clock": False,
            **{
                f"{corner}_hot_corner_{name}": value
                for corner in ("top_left", "top_right", "bottom_left", "bottom_right")
                for name, value in (("option", option), ("modifier", "No Modifiers"))
            },
        }
        for interval, account, path, option in (
            (1200, "ann", "/System/Library/Screen Savers/Flurry.saver", "Off"),
            (300, "bo", None, "Quick Note"),
            (None, "admin", None, "Off"),
        )
    ],
    "launch_agents_and_daemons": [
        {
            "path": f"/Library/{name}.plist",
            "file_name": f"{name}.plist",
            "label": name,
            "program": None,
            "run_at_load": True,
            "keep_alive": False,
            "disabled": None,
            "is_disabled": False,
            "is_loaded": True,
            "start_interval": 3600,
            "program_arguments": "/bin/sh, -c, true",
            "process_type": "BACKGROUND",
            "domain": domain,
            "service_domain": "System Agent",
            "pid": None,
        }
        for name, domain in (
            ("a.daemon", {"daemon": {}}),
            ("b.agent", {"system_agent": {"loaded_users": [{"uid": 501.0, "username": "ann"}], "disabled_users": []}}),
        )
    ],
    "device_information": [{"device_capacity": 128.0, "apple_silicon": True}],
}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*EVERY_PERMISSION)


@pytest.fixture
def get(api: Call, token: IssuedApiToken) -> Any:
    def get(path: str, **query: Any) -> Any:
        answer = api("GET", f"{path}?{urlencode(query)}", token)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return get


@pytest.mark.parametrize("category", RECORDED)
@pytest.mark.parametrize("platform", ["Mac", "iPad"])
def test_recorded_rows_come_back_as_they_were(get: Any, tenant: Tenant, category: str, platform: str) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    report(device, *RECORDED[category], category=category)
    rows = get(f"{PRISM}/{category}")["data"]
    shown = [{name: row[name] for name in given} for row, given in zip(rows, RECORDED[category], strict=True)]
    assert sorted(shown, key=repr) == sorted(RECORDED[category], key=repr)
    assert {row["device__family"] for row in rows} == {platform}
    if category == "device_information":
        assert isinstance(rows[0]["device_capacity"], float)
    (shape,) = OPERATIONS[f"prism_{category}"]["response_shape"]["data"]
    unlike = {mismatch.path for row in rows for mismatch in mismatches(row, shape)}
    # These values were not reported, so they are null.
    assert all(rows[0][path] is None for path in unlike)


def test_an_app_of_an_ipad(get: Any, tenant: Tenant) -> None:
    numbers = {"bundle_size": 78786560, "dynamic_size": 3371008, "external_version_identifier": 864454422}
    flags = {"app_store_vendable": True, "beta_app": False, "installing": False, "validated": True}
    reported = {"name": "Slack", "bundle_id": "com.tinyspeck.chatlyio", "short_version": "9.13.0"}
    report(DeviceFactory.create(tenant=tenant, platform="iPad"), reported | numbers | flags)
    (row,) = get(f"{PRISM}/apps")["data"]
    assert {name: row[name] for name in (*reported, *numbers, *flags)} == reported | numbers | flags
    assert {row[name] for name in ("path", "signature", "executable", "copyright", "team_id", "category")} == {None}


def firezone(get: Any, category: str) -> Iterator[Any]:
    """By cursor, also after a short page, until there is none. A number is not accepted as a cursor."""
    cursor: Any = ""
    while cursor is not None:
        page = get(f"{PRISM}/{category}", limit=300, cursor=cursor)
        assert isinstance(page["data"], list)
        cursor = page["cursor"]
        assert cursor is None or (isinstance(cursor, str) and cursor)
        yield from page["data"]


def qu(get: Any, category: str) -> Iterator[Any]:
    """By offset, until a page is short."""
    offset, size = 0, 300
    while size == 300:
        page = get(f"{PRISM}/{category}", limit=300, offset=offset)["data"]
        offset, size = offset + 300, len(page)
        yield from page


def support(get: Any, category: str) -> Iterator[Any]:
    """The vendor's script: by cursor, until a page has no row or no cursor."""
    cursor = ""
    while True:
        page = get(f"{PRISM}/{category}", limit=300, cursor=cursor)
        yield from page["data"]
        cursor = page.get("cursor")
        if not page["data"] or cursor in {"", None}:
            return


@pytest.mark.parametrize("walk", [firezone, qu, support])
@pytest.mark.parametrize("apps", [0, 1, 12, 13])  # of 50 devices: no row, a short page, two full pages, one row more
def test_three_walks_through_prism(get: Any, tenant: Tenant, walk: Any, apps: int) -> None:
    fleet_with_apps(tenant, 50, *(f"App {number}" for number in range(apps)))
    rows = list(walk(get, "apps"))
    assert len({(row["device_id"], row["name"]) for row in rows}) == len(rows) == 50 * apps


def test_a_category_that_is_closed_leaves_the_others_open(api: Call, tenant: Tenant, issue_token: IssueToken) -> None:
    fleet_with_apps(tenant, 1, "Slack")
    token = issue_token("prism_apps", "list_devices", "list_blueprints")
    paths = (f"{PRISM}/apps", f"{PRISM}/filevault", f"{PRISM}/unknown", f"{PRISM}/count?category=apps")
    assert [api("GET", path, token).status_code for path in paths] == [200, 403, 404, 403]
    # The connection tests of two clients. One client makes both calls: the second when licensing is refused.
    assert api("GET", "/api/v1/settings/licensing", token).status_code == 403
    assert isinstance(api("GET", "/api/v1/devices?limit=1", token).json(), list)
    assert api("GET", "/api/v1/blueprints?limit=1", token).json()["count"] == tenant.blueprints.count()
    refused = api("GET", "/api/v1/devices?limit=1", "00000000-0000-4000-8000-000000000000")
    assert (refused.status_code, list(refused.json())) == (401, ["detail"])


def test_empty_parameters_find_everything(get: Any, tenant: Tenant) -> None:
    TagFactory.create_batch(2, tenant=tenant)
    UserFactory.create(tenant=tenant, archived=True)
    UserFactory.create(tenant=tenant)
    assert get("/api/v1/tags", search="")["count"] == 2
    assert len(get("/api/v1/users", archived="true", email="", cursor="")["results"]) == 1


def test_a_page_number_of_detections_is_ignored(get: Any, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    VulnerabilityDetectionFactory.create_batch(3, tenant=tenant, device=device)
    path = "/api/v1/vulnerability-management/detections"
    assert len(get(path, page=1, size=50)["results"]) == len(get(path, page=7, size=50)["results"]) == 3


def test_a_row_that_changed_is_found_by_its_moment(get: Any, tenant: Tenant) -> None:
    (device,) = fleet_with_apps(tenant, 1, "Slack", "Zoom")
    report(device, app("Slack", version="2.0"), app("Zoom"), at=REPORTED + timedelta(days=1))
    window = '{"updated_at":{"gte":"2026-09-03T12:00:00.000Z","lte":"2026-09-05T00:00:00.000Z"}}'
    assert [row["name"] for row in get(f"{PRISM}/apps", filter=window)["data"]] == ["Slack"]

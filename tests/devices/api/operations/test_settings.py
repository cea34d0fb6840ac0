import pytest

from access.models import Tenant
from devices.models import Fleet, Platform
from tests.factories.devices import DeviceFactory
from tests.types import Call, IssueToken


def test_licensing_counts_the_tenants_devices(
    api: Call, issue_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = issue_token("get_licensing")
    assert api("GET", "/api/v1/settings/licensing", token).json()["counts"]["computers_count"] == 0
    for platform in (Platform.MAC, Platform.MAC, Platform.IPHONE, Platform.IPAD, Platform.APPLE_TV, Platform.WINDOWS):
        DeviceFactory.create(tenant=tenant, platform=platform)
    DeviceFactory.create(tenant=other_tenant)
    Fleet.objects.filter(tenant=tenant).update(plan_type="Site", max_devices=6, max_macs=2, max_mobile_devices=2)
    assert api("GET", "/api/v1/settings/licensing", token).json() == {
        "counts": {"computers_count": 6, "ios_count": 1, "ipados_count": 1, "macos_count": 2, "tvos_count": 1},
        "limits": {
            "plan_type": "Site",
            "max_devices": 6,
            "max_devices_per_platform": {"macos": 2, "ios_ipados": 2},
        },
        "tenantOverLicenseLimit": False,
    }
    for limit in ("max_devices", "max_macs", "max_mobile_devices"):
        before = getattr(Fleet.objects.get(tenant=tenant), limit)
        Fleet.objects.filter(tenant=tenant).update(**{limit: 1})
        assert api("GET", "/api/v1/settings/licensing", token).json()["tenantOverLicenseLimit"] is True
        Fleet.objects.filter(tenant=tenant).update(**{limit: before})


@pytest.mark.parametrize(("max_devices", "over"), [(3, False), (2, True)])
def test_the_single_limit_plan_counts_all_devices_together_alone(
    api: Call, issue_token: IssueToken, tenant: Tenant, max_devices: int, over: bool
) -> None:
    for platform in (Platform.MAC, Platform.IPHONE, Platform.IPAD):
        DeviceFactory.create(tenant=tenant, platform=platform)
    Fleet.objects.filter(tenant=tenant).update(
        plan_type="single_limit", max_devices=max_devices, max_macs=0, max_mobile_devices=0
    )
    answer = api("GET", "/api/v1/settings/licensing", issue_token("get_licensing")).json()
    assert answer["limits"]["max_devices_per_platform"] == {"macos": 0, "ios_ipados": 0}
    assert answer["tenantOverLicenseLimit"] is over

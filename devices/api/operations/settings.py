from django.db.models import Count

from devices.api.identity import ApiRequest
from devices.api.routing import Router
from devices.api.schemas.settings import LicenseCounts, LicenseLimits, Licensing, PlatformLimits
from devices.api.sections import SETTINGS
from devices.models import Fleet, Platform

SINGLE_LIMIT = "single_limit"  # the public API's name of the plan that counts all devices together, and no platform's

router = Router(SETTINGS)


@router.operation(
    "GET",
    "/settings/licensing",
    id="get_licensing",
    label="Licensing",
    about="Get how many devices there are, and how many there may be",
    response=Licensing,
)
def get_licensing(request: ApiRequest) -> Licensing:
    rows = request.tenant.devices.order_by().values_list("platform").annotate(n=Count("pk"))
    counts = dict(rows)
    total = sum(counts.values())
    fleet = Fleet.objects.filter(tenant=request.tenant).first() or Fleet(tenant=request.tenant)
    mobile = counts.get(Platform.IPHONE, 0) + counts.get(Platform.IPAD, 0)
    over_a_platform = counts.get(Platform.MAC, 0) > fleet.max_macs or mobile > fleet.max_mobile_devices
    return Licensing(
        counts=LicenseCounts(
            computers_count=total,
            ios_count=counts.get(Platform.IPHONE, 0),
            ipados_count=counts.get(Platform.IPAD, 0),
            macos_count=counts.get(Platform.MAC, 0),
            tvos_count=counts.get(Platform.APPLE_TV, 0),
        ),
        limits=LicenseLimits(
            plan_type=fleet.plan_type,
            max_devices=fleet.max_devices,
            max_devices_per_platform=PlatformLimits(macos=fleet.max_macs, ios_ipados=fleet.max_mobile_devices),
        ),
        tenantOverLicenseLimit=total > fleet.max_devices or (fleet.plan_type != SINGLE_LIMIT and over_a_platform),
    )

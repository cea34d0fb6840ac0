"""The declaration that has a device update its system, if its Blueprint requires a newer one."""

from datetime import datetime

from devices.declarations.declaration import Declaration, Kind
from devices.declarations.support import SOFTWARE_UPDATES, knows
from devices.models import MACS, Device, RequiredVersion
from devices.versions import version_of

IDENTIFIER = "iru.softwareupdate"
TYPE = "com.apple.configuration.softwareupdate.enforcement.specific"


def update_of(device: Device) -> Declaration | None:
    """None for a device that has the version, or takes no such declaration. Costs one query at most."""
    if not knows(device, SOFTWARE_UPDATES):
        return None
    family = RequiredVersion.Family.MAC if device.platform in MACS else RequiredVersion.Family.MOBILE
    required = RequiredVersion.objects.filter(blueprint=device.blueprint_id, family=family).first()
    if required is None or (version_of(device.os_version) or ()) >= (version_of(required.version) or ()):
        return None
    deadline = datetime.combine(required.date, required.time)
    return Declaration(
        Kind.CONFIGURATION,
        TYPE,
        IDENTIFIER,
        {
            "TargetOSVersion": required.version,
            "TargetLocalDateTime": deadline.strftime("%Y-%m-%dT%H:%M:%S"),
        },
        f"Update to {required}",
    )

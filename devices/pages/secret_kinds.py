"""The kinds of secrets that each platform has, for the pages."""

from devices.models import MACS, MOBILE, DeviceSecret

Kind = DeviceSecret.Kind
_BYPASS_CODES = (Kind.USER_BYPASS_CODE, Kind.DEVICE_BYPASS_CODE)
KINDS: dict[str, tuple[DeviceSecret.Kind, ...]] = {
    **dict.fromkeys(MACS, (Kind.FILEVAULT_KEY, Kind.RECOVERY_PASSWORD, Kind.UNLOCK_PIN, *_BYPASS_CODES)),
    **dict.fromkeys(MOBILE, _BYPASS_CODES),
}


def kinds_of(platform: str) -> tuple[DeviceSecret.Kind, ...]:
    """The secrets that a device of this platform can have, in the order in which its page lists them."""
    return KINDS.get(platform, ())

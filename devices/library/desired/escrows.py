"""Profiles of the Library with a FileVault escrow of their own. A Mac takes one escrow: such a profile replaces ours.

The device is locked by the caller in every function here.
"""

from django.db.models import QuerySet
from django.utils import timezone

from devices.enrollment.escrow import ESCROW
from devices.library.desired.ways import PROFILES
from devices.models import Device, DeviceItem


def brings_escrow(device: Device) -> bool:
    """Whether the device is to have such a profile."""
    return _rows(device).exists()


def try_again(device: Device) -> None:
    """Such a profile that failed is due again: the escrow of this server, which blocked it, is gone."""
    _rows(device).filter(state=DeviceItem.State.FAILED).update(next_at=timezone.now())


def _rows(device: Device) -> QuerySet[DeviceItem]:
    wanted = device.items.filter(type=PROFILES.type).exclude(wanted="").exclude(state=DeviceItem.State.UNFIT)
    return wanted.filter(item__custom_profile__profile__contains=f"<string>{ESCROW}</string>")

from uuid import UUID

from pydantic import BaseModel

from devices.dates import zulu
from devices.models import LostMode


class Location(BaseModel):
    """Degrees, as text; empty until the device has told them."""

    latitude: str
    longitude: str


class LostModeOut(BaseModel):
    """Moments that have not come are empty texts."""

    lost_mode_status: str
    enabled_by: str
    enable_status_at: str
    lock_screen_message: str
    lock_screen_phone_number: str
    lock_screen_footnote: str
    disable_status: str
    disabled_by: str
    disable_status_at: str
    last_location_status: str
    last_location_status_at: str
    last_location: Location
    last_location_at: str
    sound_status: str
    sound_status_at: str


class DeviceLostMode(BaseModel):
    device_id: UUID
    lost_mode: LostModeOut

    @classmethod
    def of(cls, device_id: UUID, lost_mode: LostMode) -> "DeviceLostMode":
        return cls(
            device_id=device_id,
            lost_mode=LostModeOut(
                lost_mode_status=lost_mode.status,
                enabled_by=lost_mode.enabled_by,
                enable_status_at=zulu(lost_mode.enable_status_at),
                lock_screen_message=lost_mode.message,
                lock_screen_phone_number=lost_mode.phone_number,
                lock_screen_footnote=lost_mode.footnote,
                # Always empty: a lost mode that was disabled is none, and so is its row.
                disable_status="",
                disabled_by="",
                disable_status_at="",
                last_location_status=lost_mode.location_status,
                last_location_status_at=zulu(lost_mode.location_status_at) or "",
                last_location=Location(latitude=lost_mode.latitude, longitude=lost_mode.longitude),
                last_location_at=zulu(lost_mode.location_at) or "",
                sound_status=lost_mode.sound_status,
                sound_status_at=zulu(lost_mode.sound_status_at) or "",
            ),
        )

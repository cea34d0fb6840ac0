from uuid import UUID

from pydantic import BaseModel

from devices.fleet.lost_mode import lost_mode_fields
from devices.models import LostMode


class Location(BaseModel):
    """Degrees, as text; empty until the device has reported them."""

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
        return cls(device_id=device_id, lost_mode=LostModeOut.model_validate(lost_mode_fields(lost_mode)))

from typing import Any

import orjson

from devices.commands.base import CannotDeliver
from devices.commands.internal import InternalCommand
from devices.declarations.current import current
from devices.declarations.planning import forget_telling
from devices.enrollment.enrollments import enrollment_of
from devices.models import APPLE, DeviceCommand


class DeclarativeManagement(InternalCommand):
    """Tells a device that its declarations have changed; the first one turns declarative management on."""

    id = "declarative_management"
    title = "Synchronize declarations"
    platforms = APPLE
    command_type = "DeclarativeManagement"
    rank = 2

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        enrollment = enrollment_of(row.device)
        if enrollment is None:
            raise CannotDeliver("The device is not enrolled.")
        tokens = current(row.device, enrollment).tokens()
        return {"RequestType": row.request_type, "Data": orjson.dumps(tokens)}

    def on_failed(self, row: DeviceCommand) -> None:
        forget_telling(row.device)

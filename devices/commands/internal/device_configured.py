from devices.commands.internal import InternalCommand
from devices.models import APPLE, DeviceCommand, Enrollment


class DeviceConfigured(InternalCommand):
    """Ends the wait in Setup Assistant: the device has what it was to get first. It enrolled by Apple's assignment."""

    id = "device_configured"
    title = "Let the device go on with its setup"
    platforms = APPLE
    command_type = "DeviceConfigured"

    def on_completed(self, row: DeviceCommand) -> None:
        self._forget(row)

    def on_failed(self, row: DeviceCommand) -> None:
        # It does not wait, or does not know the command. One that does wait says so again with its next token.
        self._forget(row)

    def _forget(self, row: DeviceCommand) -> None:
        enrollments = row.device.enrollments.filter(state=Enrollment.State.ENROLLED)
        enrollments.update(awaiting_configuration=False)

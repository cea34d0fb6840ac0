from devices.commands.base import Command
from devices.models import MACS, MOBILE


class ShutDownDevice(Command[None]):
    id = "shutdown_device"
    action = "shutdown"
    label = "Shutdown device"
    about = "Shut down a Mac, iPhone or iPad"
    platforms = MACS | MOBILE
    command_type = "ShutDownDevice"

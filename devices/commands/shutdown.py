from devices.commands.base import Command, MenuGroup
from devices.models import MACS, MOBILE


class ShutDownDevice(Command[None]):
    id = "shutdown_device"
    order = 210
    action = "shutdown"
    label = "Shutdown device"
    title = "Shut down"
    about = "Shut down a Mac, iPhone or iPad"
    group = MenuGroup.MANAGE
    icon = "power"
    consequence = "The device turns off. It cannot be reached until its power button is pressed."
    platforms = MACS | MOBILE
    command_type = "ShutDownDevice"
    most_deliveries = 2

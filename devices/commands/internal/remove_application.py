from devices.commands.internal.library import LibraryRemoval
from devices.models import APPLE, MACS


class RemoveApplication(LibraryRemoval):
    id = "remove_application"
    title = "Remove an in-house app"
    platforms = APPLE - MACS
    command_type = "RemoveApplication"

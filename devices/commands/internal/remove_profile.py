from devices.commands.internal.library import LibraryRemoval
from devices.models import APPLE


class RemoveProfile(LibraryRemoval):
    id = "remove_profile"
    title = "Remove a profile"
    platforms = APPLE
    command_type = "RemoveProfile"

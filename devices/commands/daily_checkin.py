from devices.commands.update_inventory import UpdateInventory


class DailyCheckIn(UpdateInventory):
    """Begins with the same request; what follows from its answer is more."""

    id = "daily_checkin"
    action = "dailycheckin"
    label = "Daily Check-In"
    about = "Have a device do now what it does once a day"
    command_type = "DailyCheckIn"

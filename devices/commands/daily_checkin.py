from devices.commands.update_inventory import UpdateInventory


class DailyCheckIn(UpdateInventory):
    """Starts with the request of UpdateInventory. The answer has more effects."""

    id = "daily_checkin"
    order = 230
    action = "dailycheckin"
    label = "Daily Check-In"
    title = "Run daily check-in"
    about = "Ask a device to do its daily check-in now"
    icon = "calendar-check"
    consequence = "The device does its daily check-in now: it reports its state and catches up on pending work."
    command_type = "DailyCheckIn"

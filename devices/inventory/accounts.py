"""The local accounts that a device reported."""

from devices.models import Device, DeviceInventory

MOST = 100


def account_names(device: Device) -> list[str]:
    """The names of the accounts of people on the device, in order; empty for one that reports none.

    Costs no query where `inventory` was fetched with the device.
    """
    inventory: DeviceInventory | None = getattr(device, "inventory", None)
    users = inventory.details.get("users") if inventory else None
    rows = users.get("regular_users") if isinstance(users, dict) else None
    names = [row.get("username") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    usable = {name for name in names if isinstance(name, str) and name and "/" not in name}
    return sorted(usable, key=str.casefold)[:MOST]

from typing import Any

from devices.commands.internal import InternalCommand
from devices.commands.metadata import small
from devices.inventory.security import SECRETS, store_security
from devices.models import APPLE, DeviceCommand


class SecurityInfo(InternalCommand):
    """The FileVault key in the answer is encrypted for this tenant, and is stored as a secret alone."""

    id = "security_info"
    title = "Ask for security settings"
    platforms = APPLE
    command_type = "SecurityInfo"
    asks_inventory = True
    secret_answers = SECRETS

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        return small({"SecurityInfo": store_security(row.device, answer)})

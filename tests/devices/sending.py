"""Commands into the queue, without the API in between."""

from typing import Any

from access.audit.events import Actor
from devices.commands import COMMANDS
from devices.commands.queue import SentCommand, send_command
from devices.models import Device

ACTOR = Actor.command("test")
ERROR = {"code": 12067, "domain": "MCMDM", "localized_description": "Nein.", "us_english_description": "No."}


def send(device: Device, id: str, actor: Actor = ACTOR, **body: Any) -> SentCommand:
    command = COMMANDS[id]
    parsed = command.body.model_validate(body) if command.body else None
    return send_command(tenant=device.tenant, device_id=device.uuid, command=command, body=parsed, actor=actor)

from typing import Any

from access.audit.events import log_event
from access.models import AuditEvent
from devices.commands.internal import InternalCommand
from devices.fleet.arrivals import SYSTEM
from devices.fleet.secrets import store_if_new
from devices.fleet.targets import device_target
from devices.inventory.answers import text
from devices.inventory.reports import Report, store_report
from devices.models import MACS, MOBILE, DeviceCommand, DeviceSecret


class BypassCode(InternalCommand):
    """The code that ends an Activation Lock. A device has it only for some days after it became supervised."""

    id = "bypass_code"
    title = "Ask for the Activation Lock bypass code"
    platforms = MACS | MOBILE
    command_type = "ActivationLockBypassCode"
    only_supervised = True
    secret_answers = frozenset({"ActivationLockBypassCode"})

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        code = text(answer, "ActivationLockBypassCode", most=100)
        if code and store_if_new(device=row.device, kind=DeviceSecret.Kind.DEVICE_BYPASS_CODE, value=code):
            log_event(
                target=device_target(row.device, "secrets"),
                actor=SYSTEM,
                action=AuditEvent.Action.CREATE,
                summary="Activation Lock bypass code stored",
            )
        store_report(row.device, _report(failed=not code))
        return {}

    def on_failed(self, row: DeviceCommand) -> None:
        store_report(row.device, _report(failed=True))


def _report(*, failed: bool) -> Report:
    return Report(details={"activation_lock": {"bypass_code_failed": failed}}, derived=frozenset({"activation_lock"}))

"""SecurityInfo: where its answers go, and the FileVault key that it may carry."""

import logging
import re
from typing import Any

from access.audit.events import log_event
from access.models import AuditEvent
from devices.enrollment.authorities import Purpose, authorities
from devices.fleet.arrivals import SYSTEM
from devices.fleet.secrets import store_if_new
from devices.fleet.targets import device_target
from devices.inventory.answers import Answer, flag, given, section, text
from devices.inventory.reports import Report, store_answer
from devices.models import MACS, Device, DeviceSecret, MdmAuthority
from devices.wire.envelopes import Recipient, Unopened, open_envelope

# Of the answer, these are secrets, or lead to them.
SECRETS = frozenset({"FDE_PersonalRecoveryKeyCMS", "FDE_PersonalRecoveryKeyDeviceKey"})
_RECOVERY_KEY = re.compile(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){5}")
_LARGEST = 64 * 1024  # bytes of an envelope
logger = logging.getLogger(__name__)


def store_security(device: Device, answer: Answer) -> dict[str, Any]:
    """Store the answer of a locked device to SecurityInfo. Returns it without its secrets."""
    said = section(answer, "SecurityInfo")
    if not said:
        return {}
    if device.platform in MACS:
        facts = given(filevault_enabled=flag(said, "FDE_Enabled"))
        store_answer(device, "security_info", said, lambda: _report(device, said), facts=facts)
    return {key: value for key, value in said.items() if key not in SECRETS}


def _report(device: Device, said: Answer) -> Report:
    _escrow(device, said.get("FDE_PersonalRecoveryKeyCMS"))
    return Report(details=_details(device, said), prism=_prism(said), derived=frozenset({"filevault"}))


def _details(device: Device, said: Answer) -> dict[str, Any]:
    firmware, management = section(said, "FirmwarePasswordStatus"), section(said, "ManagementStatus")
    enrolled_by_ade = flag(management, "EnrolledViaDEP")
    return {
        "filevault": _filevault(device, said),
        "security_information": given(remote_desktop_enabled=flag(said, "RemoteDesktopEnabled")),
        "recovery_information": given(
            recovery_lock_enabled=flag(said, "IsRecoveryLockEnabled"),
            firmware_password_exist=flag(firmware, "PasswordExists"),
            firmware_password_pending=flag(firmware, "ChangePending"),
        ),
        # A Mac that came over Automated Device Enrollment is eligible for it. The others do not say whether they are.
        "automated_device_enrollment": given(
            auto_enrolled=enrolled_by_ade, auto_enroll_eligible=True if enrolled_by_ade else None
        ),
    }


def _filevault(device: Device, said: Answer) -> dict[str, Any]:
    enabled, personal = flag(said, "FDE_Enabled"), flag(said, "FDE_HasPersonalRecoveryKey")
    institutional = flag(said, "FDE_HasInstitutionalRecoveryKey")
    kinds = [name for name, has in (("Personal", personal), ("Institutional", institutional)) if has]
    escrowed = None
    if enabled is not None:
        escrowed = enabled and device.secrets.filter(kind=DeviceSecret.Kind.FILEVAULT_KEY, subject="").exists()
    return given(
        filevault_recoverykey_type=" and ".join(kinds) if enabled is not None else None,
        filevault_prk_escrowed=escrowed,
        filevault_regen_required=None if escrowed is None else bool(enabled and personal and not escrowed),
    )


def _prism(said: Answer) -> dict[str, list[dict[str, Any]]]:
    found = {}
    if firewall := section(said, "FirewallSettings"):
        found["application_firewall"] = [
            given(
                status=flag(firewall, "FirewallEnabled"),
                block_all_incoming=flag(firewall, "BlockAllIncoming"),
                stealth_mode=flag(firewall, "StealthMode"),
                logging=flag(firewall, "LoggingEnabled"),
                logging_option=text(firewall, "LoggingOption"),
            )
        ]
    boot = section(said, "SecureBoot")
    startup = given(
        sip=flag(said, "SystemIntegrityProtectionEnabled"),
        ssv=flag(said, "AuthenticatedRootVolumeEnabled"),
        kext_requires_bst=flag(said, "BootstrapTokenRequiredForKernelExtensionApproval"),
        software_update_requires_bst=flag(said, "BootstrapTokenRequiredForSoftwareUpdate"),
        external_boot_level=text(boot, "ExternalBootLevel"),
        secure_boot_level=text(boot, "SecureBootLevel"),
        any_signed_os=_reduced(boot, "AllowsAnyAppleSignedOS"),
        mdm_manages_kext=_reduced(boot, "AllowsMDM"),
        user_manages_kext=_reduced(boot, "AllowsUserKextApproval"),
    )
    if allowed := text(said, "BootstrapTokenAllowedForAuthentication"):
        startup["bootstrap_token_auth"] = allowed == "allowed"
    if startup:
        found["startup_settings"] = [startup]
    return found


def _reduced(boot: Answer, key: str) -> bool | None:
    """Whether a Mac with reduced security has this part of it. Apple documents a list of names; Macs send a dict."""
    reduced = boot.get("ReducedSecurity")
    return key in reduced if isinstance(reduced, list) else flag(section(boot, "ReducedSecurity"), key)


def _escrow(device: Device, envelope: object) -> None:
    """Store the FileVault key of a Mac, which is encrypted for this tenant."""
    if not isinstance(envelope, bytes) or not 0 < len(envelope) <= _LARGEST:
        return
    if not MdmAuthority.objects.filter(tenant=device.tenant, purpose=Purpose.ESCROW).exists():
        return  # it was encrypted for another server
    known = authorities(device.tenant, Purpose.ESCROW)
    try:
        opened = open_envelope(envelope, [Recipient(each.certificate, each.key) for each in known])
        key = opened.content.decode("ascii").strip("\0\r\n ")
    except (Unopened, UnicodeDecodeError):
        key = ""
    if not _RECOVERY_KEY.fullmatch(key):
        logger.warning("The FileVault key of the device %s was encrypted for another server.", device.uuid)
        return
    if store_if_new(device=device, kind=DeviceSecret.Kind.FILEVAULT_KEY, value=key):
        log_event(
            target=device_target(device, "secrets"),
            actor=SYSTEM,
            action=AuditEvent.Action.CREATE,
            summary="FileVault recovery key stored",
        )

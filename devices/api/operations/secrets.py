from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.routing import Router
from devices.api.schemas.secrets import BypassCodes, FileVaultKey, RecoveryPassword, UnlockPin
from devices.api.sections import DEVICE_SECRETS
from devices.fleet.secrets import read_secrets
from devices.models import DeviceSecret

router = Router(DEVICE_SECRETS)
Kind = DeviceSecret.Kind


def _read(request: ApiRequest, device_id: UUID, *kinds: DeviceSecret.Kind) -> list[str | None]:
    return read_secrets(tenant=request.tenant, device_id=device_id, kinds=kinds, actor=request.actor)


@router.operation(
    "GET",
    "/devices/{device_id}/secrets/bypasscode",
    id="get_activation_lock_bypass_code",
    label="Activation lock bypass code",
    about="Get the Activation Lock bypass codes of a device",
    sensitive=True,
    response=BypassCodes,
)
def activation_lock_bypass_code(request: ApiRequest, device_id: UUID) -> BypassCodes:
    user, device = _read(request, device_id, Kind.USER_BYPASS_CODE, Kind.DEVICE_BYPASS_CODE)
    return BypassCodes(user_based_albc=user, device_based_albc=device)


@router.operation(
    "GET",
    "/devices/{device_id}/secrets/filevaultkey",
    id="get_filevault_recovery_key",
    label="FileVault recovery key",
    about="Get the FileVault recovery key of a Mac",
    sensitive=True,
    response=FileVaultKey,
)
def filevault_recovery_key(request: ApiRequest, device_id: UUID) -> FileVaultKey:
    (key,) = _read(request, device_id, Kind.FILEVAULT_KEY)
    return FileVaultKey(key=key)


@router.operation(
    "GET",
    "/devices/{device_id}/secrets/unlockpin",
    id="get_unlock_pin",
    label="Unlock device pin",
    about="Get the PIN that unlocks a locked Mac",
    sensitive=True,
    response=UnlockPin,
)
def unlock_pin(request: ApiRequest, device_id: UUID) -> UnlockPin:
    (pin,) = _read(request, device_id, Kind.UNLOCK_PIN)
    return UnlockPin(pin=pin)


@router.operation(
    "GET",
    "/devices/{device_id}/secrets/recoverypassword",
    id="get_recovery_lock_password",
    label="Recovery Lock password",
    about="Get the Recovery Lock password of a Mac",
    sensitive=True,
    response=RecoveryPassword,
)
def recovery_lock_password(request: ApiRequest, device_id: UUID) -> RecoveryPassword:
    (password,) = _read(request, device_id, Kind.RECOVERY_PASSWORD)
    return RecoveryPassword(recovery_password=password)

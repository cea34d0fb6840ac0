from pydantic import BaseModel


class BypassCodes(BaseModel):
    user_based_albc: str | None
    device_based_albc: str | None


class FileVaultKey(BaseModel):
    key: str | None


class UnlockPin(BaseModel):
    pin: str | None


class RecoveryPassword(BaseModel):
    recovery_password: str | None

from pydantic import BaseModel


class LicenseCounts(BaseModel):
    computers_count: int
    ios_count: int
    ipados_count: int
    macos_count: int
    tvos_count: int


class PlatformLimits(BaseModel):
    macos: int
    ios_ipados: int


class LicenseLimits(BaseModel):
    plan_type: str
    max_devices: int
    max_devices_per_platform: PlatformLimits


class Licensing(BaseModel):
    counts: LicenseCounts
    limits: LicenseLimits
    tenantOverLicenseLimit: bool  # noqa: N815 - the public API's own name

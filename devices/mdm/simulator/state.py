"""What is on a simulated device."""

from dataclasses import dataclass, field
from typing import Any

from devices.mdm.simulator.declarations import Declared
from devices.mdm.simulator.kinds import Kind
from devices.mdm.simulator.manifests import Manifest
from devices.mdm.simulator.packages import DeclaredPackage


@dataclass(kw_only=True)
class State:
    """Everything that a person who holds the device could find out, and that erasing it puts back."""

    name: str
    os_version: str
    build: str
    declared: Declared = field(default_factory=Declared)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)  # by identifier
    apps: list[dict[str, Any]] = field(default_factory=list)
    managed_apps: dict[str, str] = field(default_factory=dict)  # Apple's Status by identifier
    pending_apps: dict[str, Manifest] = field(default_factory=dict)  # that were taken, and are not there yet
    pending_packages: list[Manifest] = field(default_factory=list)
    declared_packages: dict[str, DeclaredPackage] = field(default_factory=dict)  # by the identifier of the declaration
    users: list[dict[str, Any]] = field(default_factory=list)
    passcode: str | None = None
    passcode_asleep: bool = False  # the screen is locked by the passcode, so some commands have to wait
    lost_mode: dict[str, str] | None = None  # the texts on the lock screen
    lock_texts: dict[str, str] = field(default_factory=dict)
    pin: str | None = None  # of a Mac that is locked, or was erased
    settings: dict[str, Any] = field(default_factory=dict)
    remote_desktop: bool = False
    sealed_keys: dict[tuple[bytes, str], bytes] = field(default_factory=dict)  # a Mac keeps what it encrypted once
    configured: bool = False
    done: list[str] = field(default_factory=list)  # RequestTypes that were carried out, in their order

    @classmethod
    def factory(cls, kind: Kind, name: str) -> "State":
        """The device as it is when it is new, or was erased."""
        users = [
            {
                "UserName": "casey",
                "FullName": "Casey Rivera",
                "UID": 501,
                "UserGUID": "6E3B5C9E-7B1A-4E57-9F0A-2C31F6B4D501",
                "IsLoggedIn": True,
                "MobileAccount": False,
                "HasSecureToken": True,
            }
        ]
        return cls(
            name=name,
            os_version=kind.os_version,
            build=kind.build,
            apps=[dict(app) for app in kind.apps],
            users=users if kind.mac else [],
            passcode="4711" if kind.mobile else None,
        )

"""A configuration profile for readers: its payloads, and the keys in each."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from devices.library.profile_files import content_of

# Keys that every payload has, or that its heading already shows.
HOUSEKEEPING = {
    "PayloadIdentifier",
    "PayloadType",
    "PayloadUUID",
    "PayloadVersion",
    "PayloadDisplayName",
    "PayloadDescription",
    "PayloadOrganization",
    "PayloadEnabled",
}
SECRET = re.compile(r"password(?!policy)|passphrase|secret|privatekey|private_key|token$|psk$", re.IGNORECASE)
TITLES = {
    "com.apple.applicationaccess": "Restrictions",
    "com.apple.app.lock": "App Lock",
    "com.apple.ColorSync": "Color Profiles",
    "com.apple.dock": "Dock",
    "com.apple.loginwindow": "Login Window",
    "com.apple.MCX.FileVault2": "FileVault",
    "com.apple.mobiledevice.passwordpolicy": "Passcode",
    "com.apple.security.FDERecoveryKeyEscrow": "Recovery Key Escrow",
    "com.apple.security.firewall": "Firewall",
    "com.apple.security.pkcs12": "Identity Certificate",
    "com.apple.security.root": "Root Certificate",
    "com.apple.security.scep": "SCEP",
    "com.apple.servicemanagement": "Background Items",
    "com.apple.system-extension-policy": "System Extensions",
    "com.apple.TCC.configuration-profile-policy": "Privacy Preferences",
    "com.apple.vpn.managed": "VPN",
    "com.apple.wifi.managed": "Wi-Fi",
}


class Setting(NamedTuple):
    """One line of a payload: a key, its depth, and its value as a text, which is empty for a key with nested keys."""

    depth: int
    key: str
    value: str
    hidden: bool = False


class Payload(NamedTuple):
    title: str
    type: str
    description: str
    settings: list[Setting]


def payloads_of(text: str) -> list[Payload]:
    """The payloads of a stored profile, in their order. Values are hidden if their key names a secret."""
    return [_payload(payload) for payload in content_of(text).get("PayloadContent", [])]


def _payload(payload: dict[str, Any]) -> Payload:
    type_ = payload["PayloadType"]
    title = TITLES.get(type_) or str(payload.get("PayloadDisplayName") or type_)
    own = {key: value for key, value in payload.items() if key not in HOUSEKEEPING}
    return Payload(title, type_, str(payload.get("PayloadDescription", "")), list(_settings(own)))


def _settings(values: dict[str, Any], depth: int = 0) -> Iterator[Setting]:
    for key, value in values.items():
        yield from _setting(key, value, depth)


def _setting(key: str, value: Any, depth: int) -> Iterator[Setting]:
    if SECRET.search(key) and not isinstance(value, bool):
        yield Setting(depth, key, "", hidden=True)
    elif isinstance(value, dict) and value:
        yield Setting(depth, key, "")
        yield from _settings(value, depth + 1)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        yield Setting(depth, key, "")
        for number, each in enumerate(value, 1):
            yield from _setting(str(number), each, depth + 1)
    else:
        yield Setting(depth, key, _text(value))


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case bytes():
            return f"{len(value):,} bytes of data"
        case datetime():
            return value.isoformat(" ")
        case list():
            return ", ".join(map(_text, value)) or "nothing"
        case "" | {}:
            return "nothing"
    return str(value)

"""What the tests of pushes send."""

from devices.mdm.push.results import Push

TOPIC = "com.apple.mgmt.External.1b3f2c7e-52f9-4f1d-9d06-6a4f27f1f8a4"


def token(number: int) -> bytes:
    return number.to_bytes(32)


def pushes(count: int) -> list[Push]:
    return [Push(token(number), f"magic-{number}") for number in range(count)]

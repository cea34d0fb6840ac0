"""What a simulated device does in Setup Assistant: it introduces itself, and gets its enrollment profile."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from devices.mdm.simulator.enrolling import Identity, NotEnrolled
from devices.wire import cms, plists

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

MACHINE = "application/pkcs7-signature"
PROFILE = "application/x-apple-aspen-config"

# Issues a certificate for a key and the name of a device, as Apple does when a device is activated.
type Activation = Callable[[RSAPublicKey, str], x509.Certificate]


def activate(device: "SimulatedDevice", issue: Activation) -> Identity:
    """The certificate of a device, which is another one each time that the device was erased."""
    key = device.keys(2048)
    return Identity(issue(key.public_key(), device.udid), key)


def machine_information(device: "SimulatedDevice") -> dict[str, Any]:
    information = {
        "UDID": device.udid,
        "SERIAL": device.serial_number,
        "PRODUCT": device.kind.product_name,
        "VERSION": device.kind.build,
        "OS_VERSION": device.kind.os_version,
        "LANGUAGE": "en",
        "MDM_CAN_REQUEST_SOFTWARE_UPDATE": True,
    }
    return information | ({"IMEI": f"35 {device.number:06} 12345 1"} if device.kind.cellular else {})


def signed(information: dict[str, Any], identity: Identity, *, digest: str = "sha1") -> bytes:
    return cms.sign(plists.dumps(information), identity.certificate, identity.key, digest=digest)


def fetch_profile(device: "SimulatedDevice", url: str, identity: Identity) -> bytes:
    """The enrollment profile for the device. Raises NotEnrolled with what the device would show."""
    answer = device.post(url, MACHINE, signed(machine_information(device), identity))
    if answer.status != 200:
        raise NotEnrolled(f"The server answered {answer.status}.")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if headers.get("content-type") != PROFILE:
        raise NotEnrolled("The answer is no enrollment profile.")
    return answer.body

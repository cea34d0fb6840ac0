"""Devices that Apple has assigned, and their way to the server."""

from access.models import Tenant
from devices.enrollment.ade_profiles import own_url
from devices.enrollment.machine_issuers import issue_simulated
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import AdeDevice, AdeIntegration
from tests.factories.devices import AdeDeviceFactory


def assign(device: SimulatedDevice, listing: AdeIntegration, **chosen: object) -> AdeDevice:
    """Have Apple assign the device to a server."""
    serial_number = chosen.pop("serial_number", device.serial_number)
    return AdeDeviceFactory.create(tenant=listing.tenant, integration=listing, serial_number=serial_number, **chosen)


def enroll(device: SimulatedDevice, tenant: Tenant) -> None:
    device.enroll_automatically(own_url(tenant), issue_simulated)

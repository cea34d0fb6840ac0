"""Declarative management: a device fetches its declarations in check-ins, and reports its status in them."""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.database import failure_of
from access.models import Tenant
from devices.commands import queue
from devices.commands.internal.declarative_management import DeclarativeManagement
from devices.commands.internal.device_information import DeviceInformation
from devices.declarations import planning
from devices.declarations.current import current, declaration_of
from devices.declarations.reports import take_report
from devices.enrollment.enrollments import wake
from devices.fleet.contact import note_contact
from devices.library.desired import declared_packages
from devices.mdm.identity import Identity
from devices.mdm.messages import Message
from devices.mdm.refusals import MdmRefused
from devices.mdm.renewals import enrollment_of
from devices.models import Device, DeviceCommand, Enrollment, Order
from devices.wire import json_documents
from devices.wire.errors import Malformed

LARGEST_REPORT = 4 * 1024 * 1024  # bytes
logger = logging.getLogger(__name__)


class Unknown(Exception):
    """The device asks for a declaration that it is not to have. Answered 404."""


def tell(device: Device, enrollment: Enrollment) -> list[DeviceCommand]:
    """Queue the command by which the locked device learns that its declarations have changed, if they have.

    Returns what was queued. Costs no query for a device that was planned as it is.
    """
    if not planning.is_due(device, enrollment):
        return []
    try:
        with transaction.atomic():
            if not planning.plan(device, enrollment):
                return []
            return queue.enqueue(device=device, orders=[Order(DeclarativeManagement.id)])
    except Exception as error:
        if failure_of(error) is not None:
            raise
        logger.exception("The declarations of the device %s could not be planned.", device.uuid)
        return []  # its commands go on


@transaction.atomic
def answer(identity: Identity, message: Message) -> dict[str, Any] | None:
    """Answer a check-in about declarations; None for a report, which has no answer. Raises MdmRefused and Unknown."""
    enrollment = enrollment_of(identity, message.get("UDID"))
    if message.get("UserID") is not None or message.get("EnrollmentUserID") is not None:
        raise MdmRefused("Users have no declarations.")
    if enrollment.state != Enrollment.State.ENROLLED or identity.expired:
        raise MdmRefused("The device is not enrolled.")
    device = _locked(identity.tenant, enrollment)
    match message.text("Endpoint").split("/"):
        case ["tokens"]:
            return current(device, enrollment).tokens()
        case ["declaration-items"]:
            return current(device, enrollment).items()
        case ["declaration", kind, identifier]:
            found = declaration_of(device, kind, identifier)
            if found is None:
                raise Unknown
            declared_packages.fetched(device, identifier)
            return found.document()
        case ["status"]:
            _take_status(device, enrollment, message.data("Data", maximum=LARGEST_REPORT))
            return None
    raise MdmRefused("The endpoint is unknown.")


def _take_status(device: Device, enrollment: Enrollment, data: bytes) -> None:
    try:
        report = json_documents.loads(data, most=LARGEST_REPORT)
    except Malformed as error:
        raise MdmRefused(f"The status report is malformed: {error}") from None
    if not isinstance(report.get("StatusItems"), dict):
        raise MdmRefused("The status report has no status items.")
    note_contact(device.pk, timezone.now())
    newer = take_report(device, enrollment, report)
    declared_packages.take_report(device, enrollment, report["StatusItems"])
    if newer:
        # Its declarations depend on the version, and there is more to know of the device than it reports by itself.
        queue.enqueue(device=device, orders=[Order(DeviceInformation.id)])
        wake([device.pk])


def _locked(tenant: Tenant, enrollment: Enrollment) -> Device:
    devices = tenant.devices.select_for_update().defer("record_json", "search_text")
    device = devices.filter(pk=enrollment.device_id or 0).first()
    if device is None:
        raise MdmRefused("The device is not enrolled.")
    device.tenant = tenant
    return device

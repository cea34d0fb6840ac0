"""Check-in messages: a device says who it is, where it is woken, and that it leaves."""

import base64
import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from access.audit.events import log_event
from access.models import AuditEvent, Tenant
from devices.commands import queue
from devices.commands.erase import EraseDevice
from devices.enrollment import enrollments, tickets
from devices.fleet import arrivals, lost_mode
from devices.fleet.contact import newest_contact, note_contact
from devices.fleet.secrets import delete_secret, reveal_to_device, store_secret
from devices.fleet.targets import device_target
from devices.library.desired import plan
from devices.mdm import automatic
from devices.mdm.identity import Identity
from devices.mdm.messages import Message
from devices.mdm.questions import ask_inventory
from devices.mdm.refusals import MdmRefused
from devices.mdm.renewals import bind_renewal, enrollment_of
from devices.models import Blueprint, Device, DeviceCertificate, DeviceSecret, Enrollment, LostMode, UserChannel
from devices.wire import plists

FIRST_PUSH = timedelta(seconds=3)  # the device is still busy with its profile
SILENT = timedelta(hours=24)  # after that, another device may say that it is this one
REMEMBERED_TOKENS = 8
ENROLLED_AGAIN = "The device was enrolled again."
UNENROLLED = "The device was unenrolled."
# What Authenticate says, under Apple's names, and the longest text that is kept.
FACTS = ("SerialNumber", "ProductName", "Model", "ModelName", "DeviceName", "OSVersion", "BuildVersion")
TEXT = 255

State = Enrollment.State


def check_in(identity: Identity, message: Message) -> bytes:
    """Carry out a check-in message. Returns the body of the answer. Raises MdmRefused, and changes nothing then."""
    match message.text("MessageType"):
        case "Authenticate":
            _authenticate(identity, message)
        case "TokenUpdate":
            _token_update(identity, message)
        case "CheckOut":
            _check_out(identity, message)
        case "SetBootstrapToken":
            _set_bootstrap_token(identity, message)
        case "GetBootstrapToken":
            return _bootstrap_token(identity, message)
        case "UserAuthenticate":
            # Managed users of network accounts have no channel here. 410: do not ask again.
            raise MdmRefused("Managed users are not supported.", status=410)
        case kind:
            raise MdmRefused(f"The message {kind!r} is not supported.")
    return b""


@transaction.atomic
def _authenticate(identity: Identity, message: Message) -> None:
    tenant, udid = identity.tenant, message.text("UDID", maximum=100)
    if not udid:
        raise MdmRefused("The device does not say its UDID.")
    arrivals.lock_fleet(tenant)
    certificate = DeviceCertificate.objects.select_for_update().get(tenant=tenant, pk=identity.certificate.pk)
    facts = {name: text for name in FACTS if (text := message.text(name, maximum=TEXT))}
    if certificate.enrollment_id is not None:
        enrollment = Enrollment.objects.select_for_update().get(tenant=tenant, pk=certificate.enrollment_id)
        if enrollment.state not in Enrollment.LIVE or enrollment.udid != udid:
            raise MdmRefused("The certificate belongs to an enrollment that is over, or of another device.")
        _keep_facts(enrollment, facts)
        return
    if identity.expired:
        raise MdmRefused("The certificate has expired.")
    ticket = tickets.Ticket.from_json(certificate.ticket)
    if ticket.purpose == tickets.Purpose.RENEWAL:
        enrollment = bind_renewal(certificate, udid)
        _keep_facts(enrollment, facts)
        return
    try:
        tickets.check_alive(ticket, tenant=tenant)
    except tickets.TicketRefused as refused:
        raise MdmRefused(f"The ticket of the certificate is refused: {refused}") from None
    automated = ticket.purpose == tickets.Purpose.AUTOMATIC
    if automated:
        automatic.check_machine(tenant, ticket, facts.get("SerialNumber", ""))
    _end_former(tenant, tenant.enrollments.filter(udid=udid), simulated=ticket.simulated)
    enrollment = Enrollment.objects.create(
        tenant=tenant,
        udid=udid,
        kind=Enrollment.Kind.ADE if automated else Enrollment.Kind.MANUAL,
        facts=facts,
        topic=message.text("Topic", maximum=TEXT),
        blueprint=tenant.blueprints.filter(pk=ticket.blueprint).first() if ticket.blueprint else None,
        simulated=ticket.simulated,
        created_at=timezone.now(),
    )
    certificate.enrollment = enrollment
    certificate.save(update_fields=["enrollment"])


@transaction.atomic
def _token_update(identity: Identity, message: Message) -> None:
    enrollment = enrollment_of(identity, message.get("UDID"))
    if message.get("UserID") is not None:
        _user_channel(identity.tenant, enrollment, message)
        return
    token, magic = message.data("Token", maximum=1000), message.text("PushMagic", maximum=100)
    if not token or not magic:
        raise MdmRefused("The message has no token.")
    if enrollment.state == State.AUTHENTICATED:
        if identity.expired:
            raise MdmRefused("The certificate has expired.")
        _enroll(identity, enrollment.pk, message)
        return
    device = _lock_device(identity.tenant, enrollment)
    enrollment = Enrollment.objects.select_for_update().get(tenant=identity.tenant, pk=enrollment.pk)
    if enrollment.state != State.ENROLLED or device is None:
        raise MdmRefused("The enrollment is over.")
    if _digest(token, magic) in enrollment.replaced_tokens:
        raise MdmRefused("The token was replaced by a newer one.")
    if (bytes(enrollment.token or b""), enrollment.push_magic) != (token, magic):
        former = _digest(bytes(enrollment.token or b""), enrollment.push_magic)
        enrollment.replaced_tokens = [*enrollment.replaced_tokens, former][-REMEMBERED_TOKENS:]
    _keep_token(enrollment, device, message)
    note_contact(device.pk, timezone.now())


def _enroll(identity: Identity, pk: int, message: Message) -> None:
    """The first token: from now on the device is in the fleet."""
    tenant = identity.tenant
    arrivals.lock_fleet(tenant)
    rows = Enrollment.objects.filter(tenant=tenant).select_for_update(of=("self",)).select_related("blueprint")
    enrollment = rows.get(pk=pk)
    if enrollment.state != State.AUTHENTICATED:
        raise MdmRefused("The same message is being answered.", status=503)
    facts = enrollment.facts
    serial_number = facts.get("SerialNumber", "")
    if known := arrivals.known_device(tenant=tenant, serial_number=serial_number, udid=enrollment.udid):
        _end_former(tenant, known.enrollments.exclude(pk=pk), simulated=enrollment.simulated)
    blueprint = enrollment.blueprint if enrollment.blueprint and enrollment.blueprint.deleted_at is None else None
    automated = enrollment.kind == Enrollment.Kind.ADE
    if automated:  # it may have been placed elsewhere since it asked for its profile
        blueprint = automatic.assigned_blueprint(tenant, serial_number)
    try:
        device = arrivals.arrive(
            tenant=tenant,
            blueprint=blueprint,
            arrival=arrivals.Arrival(
                udid=enrollment.udid,
                serial_number=serial_number,
                product_name=facts.get("ProductName") or facts.get("Model", ""),
                model_name=facts.get("ModelName", ""),
                device_name=facts.get("DeviceName", ""),
                os_version=facts.get("OSVersion", "")[:50],
                build_version=facts.get("BuildVersion", "")[:50],
                enrollment_type=enrollment.get_kind_display(),
                simulated=enrollment.simulated,
            ),
        )
    except ValueError as error:
        raise MdmRefused(str(error)) from None
    except Blueprint.DoesNotExist:
        raise MdmRefused("The tenant has no Blueprint.") from None
    if automated:
        automatic.complete(device)
    now = timezone.now()
    enrollment.device, enrollment.state, enrollment.enrolled_at = device, State.ENROLLED, now
    enrollment.push_due_at = now + FIRST_PUSH
    enrollment.save(update_fields=["device", "state", "enrolled_at", "push_due_at"])
    _keep_token(enrollment, device, message)
    note_contact(device.pk, now)
    ask_inventory(device, enrollment)


def _keep_token(enrollment: Enrollment, device: Device, message: Message) -> None:
    enrollment.token = message.data("Token", maximum=1000)
    enrollment.push_magic = message.text("PushMagic", maximum=100)
    enrollment.topic = message.text("Topic", maximum=TEXT) or enrollment.topic
    enrollment.awaiting_configuration = message.get("AwaitingConfiguration") is True
    enrollment.push_error = ""
    enrollment.save(
        update_fields=["token", "push_magic", "topic", "awaiting_configuration", "push_error", "replaced_tokens"]
    )
    if unlock_token := message.data("UnlockToken"):
        text = base64.b64encode(unlock_token).decode()
        store_secret(device=device, kind=DeviceSecret.Kind.UNLOCK_TOKEN, value=text)


def _user_channel(tenant: Tenant, enrollment: Enrollment, message: Message) -> None:
    if enrollment.state != State.ENROLLED:
        raise MdmRefused("The device is not enrolled.")
    user_id, name = message.text("UserID", maximum=100), message.text("UserShortName", maximum=TEXT)
    if user_id.strip("F-") == "":  # a Shared iPad says so of every user
        user_id = name[:100]
    UserChannel.objects.update_or_create(
        tenant=tenant,
        enrollment=enrollment,
        user_id=user_id,
        defaults={
            "short_name": name,
            "token": message.data("Token", maximum=1000) or None,
            "push_magic": message.text("PushMagic", maximum=100),
        },
    )


@transaction.atomic
def _check_out(identity: Identity, message: Message) -> None:
    enrollment = enrollment_of(identity, message.get("UDID"))
    if message.get("UserID") is not None:
        UserChannel.objects.filter(
            tenant=identity.tenant, enrollment=enrollment, user_id=message.text("UserID", maximum=100)
        ).delete()
        return
    device = _lock_device(identity.tenant, enrollment)
    enrollment = Enrollment.objects.select_for_update().get(tenant=identity.tenant, pk=enrollment.pk)
    if enrollment.state == State.EVICTING:
        enrollments.end(enrollment, state=State.EVICTED)
        return
    if enrollment.state not in Enrollment.LIVE:
        return  # the same message once more
    enrollments.end(enrollment)
    if device is not None:
        _clean_up(device, UNENROLLED)
        arrivals.leave(device, summary="Device unenrolled")


@transaction.atomic
def _set_bootstrap_token(identity: Identity, message: Message) -> None:
    device = _enrolled(identity, message)
    token = message.data("BootstrapToken", maximum=64 * 1024)
    if not token:
        delete_secret(device=device, kind=DeviceSecret.Kind.BOOTSTRAP_TOKEN)
        return
    had_one = device.secrets.filter(kind=DeviceSecret.Kind.BOOTSTRAP_TOKEN).exists()
    text = base64.b64encode(token).decode()
    store_secret(device=device, kind=DeviceSecret.Kind.BOOTSTRAP_TOKEN, value=text)
    if not had_one:
        log_event(
            target=device_target(device, "secrets"),
            actor=arrivals.SYSTEM,
            action=AuditEvent.Action.CREATE,
            summary="Bootstrap token stored",
        )


@transaction.atomic
def _bootstrap_token(identity: Identity, message: Message) -> bytes:
    text = reveal_to_device(device=_enrolled(identity, message), kind=DeviceSecret.Kind.BOOTSTRAP_TOKEN)
    return plists.dumps({"BootstrapToken": base64.b64decode(text)} if text else {})


def _enrolled(identity: Identity, message: Message) -> Device:
    enrollment = enrollment_of(identity, message.get("UDID"))
    device = _lock_device(identity.tenant, enrollment)
    if enrollment.state != State.ENROLLED or device is None or identity.expired:
        raise MdmRefused("The device is not enrolled.")
    return device


def _lock_device(tenant: Tenant, enrollment: Enrollment) -> Device | None:
    """The device of an enrollment, locked before the enrollment itself, as everywhere."""
    if enrollment.device_id is None:
        return None
    devices = tenant.devices.select_for_update(of=("self",)).select_related("blueprint").defer("record_json")
    return devices.filter(pk=enrollment.device_id).first()


def _end_former(tenant: Tenant, former: QuerySet[Enrollment], *, simulated: bool) -> None:
    """End live enrollments that another one takes the place of. Raises MdmRefused where the settings forbid that."""
    for enrollment in former.filter(state__in=Enrollment.LIVE):
        device = _lock_device(tenant, enrollment)
        locked = Enrollment.objects.select_for_update().get(tenant=tenant, pk=enrollment.pk)
        if locked.simulated != simulated:
            raise MdmRefused("A simulated device and a real one have the same serial number or UDID.")
        seen = device and newest_contact(device)
        if settings.IRU_MDM_TAKE_OVER == "refuse" and seen and timezone.now() - seen < SILENT:
            raise MdmRefused("The device is enrolled, and was in contact within a day. IRU_MDM_TAKE_OVER forbids it.")
        enrollments.end(locked)
        if device is not None:
            _clean_up(device, ENROLLED_AGAIN)


def _clean_up(device: Device, reason: str) -> None:
    """End what belonged to an enrollment that is over. Secrets that a person may still need stay."""
    erased = device.commands.unfinished().filter(command=EraseDevice.id, attempts__gt=0).first()
    if erased is not None:
        # That the device comes as a new one is the evidence that it erased itself.
        erased.device = device
        queue.take_answer(erased, {})
    queue.abandon(device, reason)
    plan.forget(device)
    for kind in (DeviceSecret.Kind.UNLOCK_TOKEN, DeviceSecret.Kind.BOOTSTRAP_TOKEN):
        delete_secret(device=device, kind=kind)
    if LostMode.objects.filter(device=device).exists() or device.lost_mode_status:
        lost_mode.ended(device=device)


def _keep_facts(enrollment: Enrollment, facts: dict[str, str]) -> None:
    enrollment.facts = enrollment.facts | facts
    enrollment.save(update_fields=["facts"])


def _digest(token: bytes, magic: str) -> str:
    return hashlib.sha256(token + b"\0" + magic.encode()).hexdigest()

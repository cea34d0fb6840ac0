"""Invitations: a link by mail with which a new person chooses their password, once, within 24 hours."""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from access.audit.events import Actor, log_event
from access.models import Administrator, AuditEvent, Role, Tenant
from access.people.administrators import create_administrator, locked, target_of
from access.sign_in.mail import link_to
from access.tasks.backend import task

SIGNER = Signer(salt="access.invitation")


class InvitationOver(Exception):
    """The link was used, has expired, was replaced by a newer one, or its person is suspended or deleted."""


@transaction.atomic
def invite_administrator(
    *, tenant: Tenant, email: str, role: str, actor: Actor, host: str, first_name: str = "", last_name: str = ""
) -> Administrator:
    """Create a person who is Pending, and have a worker mail them a link that leads to `host`.

    Raises ValidationError for a bad or taken address and a second Account Owner.
    """
    person = create_administrator(
        tenant=tenant, email=email, role=Role(role), first_name=first_name, last_name=last_name, actor=actor
    )
    send_invitation(person, host)
    return person


@transaction.atomic
def resend_invitation(*, tenant: Tenant, person_id: uuid.UUID, actor: Actor, host: str | None) -> Administrator:
    """Send another link, as `send_invitation` does. Raises ValidationError for a person who is not Pending any more."""
    person = locked(tenant, person_id)
    if person.status != "pending":
        raise ValidationError(f"{person.name} is {person.status}, and needs no invitation.")
    send_invitation(person, host)
    log_event(
        target=target_of(person, "invitation"),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Invitation sent again",
    )
    return person


def send_invitation(person: Administrator, host: str | None) -> None:
    """Begin the 24 hours anew, and have a worker mail the link, which leads to `host`. Earlier links stop working.

    Without a `host`, no mail is sent: the caller hands over `invitation_link`.
    """
    person.invited_at = timezone.now()
    person.save(update_fields=["invited_at", "updated_at"])
    if host:
        send_invitation_mail.enqueue(str(person.pk), host, str(uuid.uuid4()))


def invitation_link(person: Administrator, host: str) -> str:
    """The link of the person's last invitation, leading to `host`."""
    at = person.invited_at.isoformat() if person.invited_at else ""
    return link_to(host, reverse("invitation", args=[SIGNER.sign_object({"person": str(person.pk), "at": at})]))


def invited(key: str) -> Administrator:
    """The person whom the link with this key invites. Raises InvitationOver."""
    try:
        link = SIGNER.unsign_object(key)
    except (BadSignature, ValueError):
        raise InvitationOver from None
    person = Administrator.objects.select_related("tenant").filter(pk=link["person"]).first()
    if person is None or person.tenant is None or not person.tenant.active or person.status != "pending":
        raise InvitationOver
    if person.invited_at != parse_datetime(link["at"]) or person.invitation_ended:
        raise InvitationOver
    return person


def accept(*, key: str, password: str, address: str) -> Administrator:
    """Give the invited person the password, which the caller has validated; they are Active from then on.

    Raises InvitationOver, also for the second of two acceptances at once, and TooManyAttempts if the hasher is busy.
    """
    person = invited(key)
    person.set_password(password)  # it takes long, so no row is locked yet
    encoded, short = person.password, person.short_password
    with transaction.atomic():
        Administrator.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
        person = invited(key)  # again, now that nothing can change it
        person.password, person.short_password, person.joined_at = encoded, short, timezone.now()
        person.save(update_fields=["password", "short_password", "joined_at", "updated_at"])
        log_event(
            target=target_of(person, "invitation"),
            actor=Actor.of(person, address),
            action=AuditEvent.Action.UPDATE,
            summary="Invitation accepted",
            metadata={"address": address} if address else None,
        )
    return person


@task(retries=6)  # over 23 minutes: a mail server may be away for a while
def send_invitation_mail(person_id: str, host: str, key: str) -> None:
    """Send the invitation, at least once: a worker that is lost after sending sends it again, with one Message-ID."""
    person = Administrator.objects.select_related("tenant").filter(pk=person_id).first()
    if person is None or person.status != "pending" or person.invitation_ended:
        return
    body = render_to_string(
        "registration/invitation_email.txt", {"administrator": person, "link": invitation_link(person, host)}
    )
    subject = "Your account for Iru Endpoint"
    EmailMessage(subject, body, to=[person.email], headers={"Message-ID": f"<{key}@{settings.IRU_DOMAIN}>"}).send()

"""Mail with a link to choose a password, written and sent by a worker.

The page that asks for a link enqueues the same task for every address, so neither its answer nor the time it takes
tells whether there is such an account. The link is made by the worker: it is in no queue, and it is fresh after a wait.
"""

from uuid import uuid4

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.urls import reverse

from access.models import Administrator
from access.tasks.backend import task


def send_password_link(email: str, host: str) -> None:
    """Have a worker send a link to choose a new password, to `email` if it is an active person's, leading to `host`."""
    send_password_mail.enqueue(email, host, str(uuid4()))


@task(retries=6)  # over 23 minutes: a mail server may be away for a while, and the link lasts an hour
def send_password_mail(email: str, host: str, key: str) -> None:
    """Send the mail, at least once: a worker that is lost after sending sends it again, under the same Message-ID."""
    # A person who has not accepted an invitation yet comes by that alone: it may have gone to a wrong address.
    member = Q(joined_at__isnull=False) | Q(tenant=None)
    person = Administrator.objects.filter(member, email=email.strip().lower(), is_active=True).first()
    if person is None:
        return
    context = {"administrator": person, "password_url": password_link(person, host)}
    body = render_to_string("registration/password_reset_email.txt", context)
    subject = "Choose a new password for Iru Endpoint"
    EmailMessage(subject, body, to=[person.email], headers={"Message-ID": f"<{key}@{settings.IRU_DOMAIN}>"}).send()


def password_link(person: Administrator, host: str) -> str:
    """A link to choose a password, leading to `host`. It works once, within PASSWORD_RESET_TIMEOUT."""
    key = default_token_generator.make_token(person)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(person), "key": key})
    return link_to(host, path)


def link_to(host: str, path: str) -> str:
    """The whole address of a page for a mail. `host` is that of a request, or one of IRU_WEB_HOSTS."""
    # The request's host is one of ours, but its port is whatever the sender wrote.
    port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
    return f"{settings.IRU_SCHEME}://{split_domain_port(host)[0]}{port}{path}"

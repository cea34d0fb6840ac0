"""Mail about passwords, sent after the visitor has been answered."""

import logging
from concurrent.futures import ThreadPoolExecutor

from django.core.mail import send_mail

logger = logging.getLogger(__name__)
outgoing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")  # what it still holds is sent before we exit


def send_later(subject: str, body: str, email: str) -> None:
    """Send a mail in the background: the time that a mail server takes would tell that there is such an account."""
    outgoing.submit(_send, subject, body, email)


def _send(subject: str, body: str, email: str) -> None:
    try:
        send_mail(subject, body, None, [email])
    except OSError:
        logger.exception("A mail could not be sent.")

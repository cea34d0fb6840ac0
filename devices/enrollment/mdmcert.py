"""mdmcert.download: a service that signs requests for push certificates as a vendor, and mails its answer.

Its documentation is the source of other clients. A request is JSON with four texts; the answer is in a mail, as the
hexadecimal text of an envelope for the certificate in the request.
"""

import re
from base64 import b64decode, b64encode
from urllib.parse import urlsplit

import httpx
import orjson
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ValidationError

from access.audit.events import Actor
from access.models import Tenant
from access.outgoing import client_options
from devices.enrollment.push_certificates import pending_recipient, waiting_request
from devices.wire.envelopes import Unopened, open_envelope

URL = "https://mdmcert.download/api/v1/signrequest"
SECONDS = 30
LARGEST_ANSWER = 64 * 1024  # bytes
NOT_THE_MAIL = "This is not the file that mdmcert.download mails: it has nothing but hexadecimal digits."
OTHER_REQUEST = "This answer is not for the request that waits. Ask again, and open the newer mail."


def ask(*, tenant: Tenant, key: str, email: str, actor: Actor) -> None:
    """Have the request that waits signed, and mailed to this address. One is made now if there is none.

    `key` is that of the account for the service. The address has to be known there. Raises ValidationError for all that
    goes wrong, and SecretUnreadable. Call it outside a transaction: the service may be slow.
    """
    request = waiting_request(tenant=tenant, actor=actor)
    certificate = pending_recipient(tenant).certificate.public_bytes(Encoding.PEM)
    said = {
        "csr": b64encode(request.encode()).decode(),
        "email": email,
        "key": key,
        "encrypt": b64encode(certificate).decode(),
    }
    try:
        status, body = _post(said)
    except httpx.HTTPError as error:
        raise ValidationError(f"mdmcert.download cannot be reached: {error}") from None
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    if status != 200 or answer.get("result") != "success":
        reason = answer.get("reason")
        text = reason if isinstance(reason, str) and reason.isprintable() else f"HTTP {status}"
        raise ValidationError(f"mdmcert.download refuses the request: {text[:300]}")


def open_mail(*, tenant: Tenant, content: bytes) -> str:
    """The request in the form that identity.apple.com takes, from the file in the mail.

    Raises ValidationError for another file, and SecretUnreadable.
    """
    digits = b"".join(content.split())
    if not re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", digits):
        raise ValidationError(NOT_THE_MAIL)
    try:
        # Libraries that the service may be made with encrypt with DES, and nothing in this content is a secret.
        envelope, recipients = bytes.fromhex(digits.decode()), [pending_recipient(tenant)]
        request = b"".join(open_envelope(envelope, recipients, single_des=True).content.split())
        if b"PushCertRequestCSR" not in b64decode(request, validate=True):
            raise ValueError
    except (Unopened, ValueError):
        raise ValidationError(OTHER_REQUEST) from None
    return request.decode()


def _post(said: dict[str, str]) -> tuple[int, bytes]:
    """The status and the beginning of the body of the answer."""
    options = client_options(urlsplit(URL).hostname or "")
    headers = {"User-Agent": "iru-endpoint/1.0"}
    with (
        httpx.Client(timeout=SECONDS, follow_redirects=False, headers=headers, **options) as client,
        client.stream("POST", URL, json=said) as answer,
    ):
        body = b""
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > LARGEST_ANSWER:
                break
        return answer.status_code, body

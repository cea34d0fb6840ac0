"""The signatures of the embedded storage: policies of uploads, as in S3, and links to files.

The keys of both are derived from IRU_SECRET_KEYS, each with its own label.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from django.utils import timezone

from access.keyrings import derived_keyring

SETTING = "IRU_SECRET_KEYS"
UPLOADS = "uploads of files, version 1"
LINKS = "links to files, version 1"
ALGORITHM = "AWS4-HMAC-SHA256"
SCOPE = "iru/s3/aws4_request"
SIGNATURE = "x-amz-signature"
FIELDS = ("key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "policy", SIGNATURE)


class UploadRefused(Exception):
    """An upload is refused, as S3 would do: the HTTP status, the code of S3, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class LinkRefused(Exception):
    """The link was not made here, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The permission of a signed policy: one file, with a maximum size."""

    key: str
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Link:
    key: str
    filename: str


def sign_upload(*, key: str, token: str, lifetime: timedelta, maximum: int) -> dict[str, str]:
    """The fields of a form that may upload a file of 1 to `maximum` bytes under `key`, in S3's order."""
    number, secret = derived_keyring(SETTING, UPLOADS)[0]
    now = timezone.now()
    date = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    fields = {
        "key": key,
        "x-amz-algorithm": ALGORITHM,
        "x-amz-credential": f"IRU{number}/{date[:8]}/{SCOPE}",
        "x-amz-date": date,
        "x-amz-security-token": token,
    }
    conditions = [{name: value} for name, value in fields.items()]
    expiration = (now + lifetime).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"expiration": expiration, "conditions": [*conditions, ["content-length-range", 1, maximum]]}
    policy = base64.b64encode(orjson.dumps(document)).decode()
    return {**fields, "policy": policy, SIGNATURE: _upload_signature(secret, date[:8], policy)}


def check_upload(fields: Mapping[str, str]) -> Grant:
    """Check the fields of a form, and return their grant. Raises UploadRefused."""
    for name in FIELDS:
        if name not in fields:
            raise UploadRefused(
                400, "InvalidArgument", f"The form must contain a field named '{name}' before the file."
            )
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise UploadRefused(400, "InvalidArgument", f"x-amz-algorithm is {ALGORITHM}.")
    access_key, _, scope = fields["x-amz-credential"].partition("/")
    date, _, rest = scope.partition("/")
    secrets = {f"IRU{number}": secret for number, secret in derived_keyring(SETTING, UPLOADS)}
    if access_key not in secrets or rest != SCOPE:
        raise UploadRefused(403, "InvalidAccessKeyId", "The credential is unknown.")
    expected = _upload_signature(secrets[access_key], date, fields["policy"])
    if not hmac.compare_digest(expected.encode(), fields[SIGNATURE].encode()):
        raise UploadRefused(403, "SignatureDoesNotMatch", "The signature does not match the policy.")
    return _allowed_by(orjson.loads(base64.b64decode(fields["policy"])), fields)


def _allowed_by(policy: dict[str, Any], fields: Mapping[str, str]) -> Grant:
    """The grant of a policy whose signature is valid."""
    if datetime.fromisoformat(policy["expiration"]) <= timezone.now():
        raise UploadRefused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    *equal, (_, minimum, maximum) = policy["conditions"]
    demanded: dict[str, str] = {name: value for condition in equal for name, value in condition.items()}
    for name, value in demanded.items():
        if fields[name] != value:
            failed = f'["eq", "${name}", "{value}"]'
            raise UploadRefused(403, "AccessDenied", f"Invalid according to Policy: Policy Condition failed: {failed}")
    if extra := sorted(fields.keys() - set(FIELDS)):
        raise UploadRefused(403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")
    return Grant(demanded["key"], minimum, maximum)


def sign_link(*, key: str, filename: str, lifetime: timedelta) -> str:
    """A JSON Web Token that gives its bearer access to the file until it expires."""
    number, secret = derived_keyring(SETTING, LINKS)[0]
    expiry = int((timezone.now() + lifetime).timestamp())
    parts = [{"alg": "HS256", "typ": "JWT", "kid": str(number)}, {"key": key, "name": filename, "exp": expiry}]
    text = ".".join(_encoded(orjson.dumps(part)) for part in parts)
    return f"{text}.{_encoded(_link_signature(secret, text))}"


def link_url(*, origin: str, key: str, filename: str, lifetime: timedelta) -> str:
    """The URL of the file at this server."""
    token = sign_link(key=key, filename=filename, lifetime=lifetime)
    return f"{origin}/{quote(key)}?{urlencode({'auth': token})}"


def check_link(token: str) -> Link:
    """Check the token, and return the link to its file. Raises LinkRefused."""
    text, _, signature = token.rpartition(".")
    # Every key is tried, so that the token is parsed only after its signature has been verified.
    signatures = [_encoded(_link_signature(secret, text)) for _, secret in derived_keyring(SETTING, LINKS)]
    if not any(hmac.compare_digest(each.encode(), signature.encode()) for each in signatures):
        raise LinkRefused
    content = orjson.loads(_decoded(text.partition(".")[2]))
    if content["exp"] <= timezone.now().timestamp():
        raise LinkRefused
    return Link(content["key"], content["name"])


def _upload_signature(secret: bytes, date: str, policy: str) -> str:
    """Signature Version 4 of AWS."""
    key = b"AWS4" + secret.hex().encode()
    for part in (date, *SCOPE.split("/")):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return hmac.new(key, policy.encode(), hashlib.sha256).hexdigest()


def _link_signature(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode(), hashlib.sha256)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise LinkRefused from None

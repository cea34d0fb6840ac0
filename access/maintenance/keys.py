"""The numbered keys that stored rows depend on, and their fingerprints."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from access.audit.chain import FIRST_KEY
from access.database import allow_long_statements
from access.keyrings import audit_keyring, keyring
from access.models import ApiToken, AuditAnchor, AuditEvent, AuditHead, Tenant

TOKEN_KEYS, SECRET_KEYS, AUDIT_KEYS = "IRU_TOKEN_KEYS", "IRU_SECRET_KEYS", "IRU_AUDIT_KEYS"
SETTINGS = (TOKEN_KEYS, SECRET_KEYS, AUDIT_KEYS)
FINGERPRINT_DIGITS = 16
COLUMN = "key_number"  # the end of the name of each column with the number of a key
OWN_APPS = ("access", "devices")

OF_OTHER_KEYS = (ApiToken, AuditAnchor, AuditEvent, AuditHead)  # all other columns are about IRU_SECRET_KEYS

type Uses = Counter[int]

# Each counts the rows under each of IRU_SECRET_KEYS in a table that keeps the number in another way than in a column.
# Rooms of other apps register theirs.
other_places: list[Callable[[], Uses]] = []


def ring(setting: str) -> list[tuple[int, bytes]]:
    """(number, key) of every configured key, newest first. Raises ImproperlyConfigured."""
    return audit_keyring() if setting == AUDIT_KEYS else keyring(setting)


def fingerprints(setting: str) -> dict[int, str]:
    """{number: fingerprint} of the configured keys. A fingerprint tells equal keys, and nothing about the key."""
    label = f"fingerprint of {setting}".encode()
    return {number: hmac.digest(key, label, hashlib.sha256).hex()[:FINGERPRINT_DIGITS] for number, key in ring(setting)}


@contextmanager
def counting() -> Iterator[None]:
    """Inside, statements may take a minute. On SQLite, whose transactions lock out all writers, there is none."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        allow_long_statements()
        yield


def uses() -> dict[str, Uses]:
    """How many stored values are under each key, by setting. Revoked tokens do not count."""
    return {TOKEN_KEYS: _tokens(), SECRET_KEYS: _sealed(), AUDIT_KEYS: _audit()}


def _tokens() -> Uses:
    rows = ApiToken._default_manager.filter(revoked_at__isnull=True).order_by()
    found = Counter(dict(rows.values_list("key_number").annotate(Count("pk"))))
    # The former secret of a token that was rotated may still work for a while.
    former = rows.filter(previous_digest__isnull=False, previous_key_number__isnull=False)
    return found + Counter(dict(former.values_list("previous_key_number").annotate(Count("pk"))))


def _audit() -> Uses:
    """The events of all trails, and their anchors."""
    signed = AuditAnchor.objects.order_by().values_list("key_number").annotate(Count("pk"))
    return _events() + Counter(dict(signed))


def _events() -> Uses:
    heads = AuditHead.objects.order_by().filter(sequence__gt=0)
    if not heads.exclude(key_number=None).exclude(key_number=FIRST_KEY).exists():
        # Numbers never fall along a trail, so no event is under another key: no need to look at millions of them.
        recorded = heads.aggregate(total=Sum("sequence"))["total"] or 0
        return Counter({FIRST_KEY: total}) if (total := recorded - _removed()) else Counter()
    rows = AuditEvent.objects.order_by().values_list(Coalesce("key_number", FIRST_KEY)).annotate(Count("pk"))
    return Counter(dict(rows))


def _removed() -> int:
    """How many events purges have removed from trails that there are."""
    anchors = AuditAnchor.objects.filter(Q(tenant=None) | Q(tenant__in=Tenant.objects.all()))
    return anchors.aggregate(total=Sum(F("sequence") - F("after")))["total"] or 0


def _sealed() -> Uses:
    found: Uses = Counter()
    for model in apps.get_models():
        if model._meta.app_label not in OWN_APPS or model in OF_OTHER_KEYS:
            continue
        for field in model._meta.concrete_fields:
            if field.name.endswith(COLUMN):
                rows = model._default_manager.exclude(**{field.name: None}).order_by()
                found += Counter(dict(rows.values_list(field.name).annotate(Count("pk"))))
    for count in (_authenticators, *other_places):
        found += count()
    return found


def _authenticators() -> Uses:
    rows = Authenticator.objects.filter(~Q(type=Authenticator.Type.WEBAUTHN)).order_by()
    return Counter(dict(rows.values_list("data__key").annotate(Count("pk"))))

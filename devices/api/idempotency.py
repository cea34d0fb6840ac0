"""`Idempotency-Key`: a client that lost an answer repeats its call, and nothing is created twice.

Our own addition to the public API, after the IETF's draft of the header: clients that send no key notice nothing.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, QuerySet, Value
from django.db.models.functions import Left, StrIndex
from django.http import HttpResponse
from django.utils import timezone
from pydantic import BaseModel

from access.models import Tenant
from access.sealing import newest_key, seal, unseal
from access.tasks.backend import task
from devices.api.errors import ApiError
from devices.api.rendering import json_text
from devices.api.uploads import Upload
from devices.models import IdempotentCall

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"  # on an answer that is repeated
KEPT = timedelta(hours=24)
# A call that is still without an answer then has lost its server. Nothing was created: that would be committed with it.
LOST_AFTER = timedelta(minutes=1)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key, and what the call that carries it asks for."""

    tenant: Tenant
    token_id: UUID
    text: str
    fingerprint: str

    def answer(self, respond: Callable[[], HttpResponse], *, asks_elsewhere: bool = False) -> HttpResponse:
        """Return the response of `respond`, or the stored one of the first call with this key.

        Only a success is stored, in the transaction of `respond`: after an error the same key may be sent again. With
        `asks_elsewhere` it is stored after that transaction, so that none is open during a call to another server.
        Raises the 409 while another call with the key is in progress, and the 422 if the key was sent before with
        another request.
        """
        attempt = self._begin()
        if isinstance(attempt, HttpResponse):
            return attempt
        with self._released_unless_answered(attempt), nullcontext() if asks_elsewhere else transaction.atomic():
            response = respond()
            kept = (
                self._calls()
                .filter(attempt=attempt, status=None)
                .update(status=response.status_code, answer=_sealed(response.content, self.token_id, self.text))
            )
            if not kept and not asks_elsewhere:
                # Another request took over, because this one took too long. That one's object is the one that stays.
                raise in_progress()
        return response

    def _calls(self) -> QuerySet[IdempotentCall]:
        return self.tenant.idempotent_calls.filter(token=self.token_id, key=self.text)

    def _begin(self) -> UUID | HttpResponse:
        """Return a new attempt, which this request has to answer, or the stored response."""
        attempt, now = uuid4(), timezone.now()
        row = {"fingerprint": self.fingerprint, "attempt": attempt, "started_at": now, "status": None, "answer": ""}
        try:
            with transaction.atomic():
                self.tenant.idempotent_calls.create(token_id=self.token_id, key=self.text, **row)
        except IntegrityError:
            earlier = self._calls().first()
        else:
            return attempt
        if earlier is None:  # the other call failed a moment ago, and released the key
            raise in_progress()
        expired = earlier.started_at <= now - KEPT
        if earlier.fingerprint != self.fingerprint and not expired:
            raise another_call()
        if expired or (earlier.status is None and earlier.started_at <= now - LOST_AFTER):
            if self._calls().filter(attempt=earlier.attempt, status=earlier.status).update(**row):
                return attempt
            raise in_progress()
        if earlier.status is None:
            raise in_progress()
        replay = json_text(_unsealed(earlier), {REPLAYED: "true"})
        replay.status_code = earlier.status
        return replay

    @contextmanager
    def _released_unless_answered(self, attempt: UUID) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(DatabaseError):  # a lost database; the key is free again after LOST_AFTER
                self._calls().filter(attempt=attempt, status=None).delete()
            raise


def key_of(header: str, *, tenant: Tenant, token_id: UUID, operation: str, arguments: Mapping[str, Any]) -> Key:
    """Return the key of a call with these parsed arguments. Raises the 400 for a malformed one."""
    if not _KEY.fullmatch(header):
        raise malformed()
    digest = hashlib.sha256(operation.encode())
    for name, value in sorted(arguments.items()):
        digest.update(f"\0{name}\0".encode())
        for part in _parts(value):
            digest.update(part)
    return Key(tenant, token_id, header, digest.hexdigest())


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Upload):
        yield orjson.dumps(dict(value.fields.lists()), option=orjson.OPT_SORT_KEYS)
        for name, file in sorted(value.files.items()):
            yield name.encode()
            yield from file.chunks()
            file.seek(0)
    elif isinstance(value, BaseModel):
        yield orjson.dumps(value.model_dump(mode="json", exclude_unset=True), option=orjson.OPT_SORT_KEYS)
    else:
        yield str(value).encode()


def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` answers that use an older key. Returns their number."""
    calls = IdempotentCall.objects.exclude(status=None).exclude(answer__startswith=f"{newest_key()}:")
    found = list(calls.order_by("pk")[:limit])
    for call in found:
        answer = _sealed(_unsealed(call), call.token_id, call.key)
        IdempotentCall.objects.filter(pk=call.pk, answer=call.answer).update(answer=answer)
    return len(found)


def count_by_key() -> Counter[int]:
    """How many stored answers are under each key of IRU_SECRET_KEYS."""
    calls = IdempotentCall.objects.exclude(status=None).order_by()
    numbers = calls.annotate(number=Left("answer", StrIndex("answer", Value(":")) - 1)).values_list("number")
    return Counter({int(number): count for number, count in numbers.annotate(Count("pk")) if number.isdecimal()})


def _sealed(answer: bytes, token_id: UUID, key: str) -> str:
    """Encrypt an answer: it may have signed forms and links, and the secrets in a profile."""
    number, sealed = seal(answer, *_place(token_id, key))
    return f"{number}:{base64.b64encode(sealed).decode()}"


def _unsealed(call: IdempotentCall) -> bytes:
    number, _, sealed = call.answer.partition(":")
    if not number.isdecimal():  # stored before answers were sealed
        return call.answer.encode()
    return unseal(int(number), base64.b64decode(sealed), *_place(call.token_id, call.key))


def _place(token_id: UUID, key: str) -> tuple[object, ...]:
    return "idempotent_call", "answer", token_id, key


def malformed() -> ApiError:
    return ApiError(400, {"detail": "An Idempotency-Key is 1 to 255 visible ASCII characters."})


def in_progress() -> ApiError:
    return ApiError(409, {"detail": "A call with this Idempotency-Key is in progress."}, {"Retry-After": "1"})


def another_call() -> ApiError:
    return ApiError(422, {"detail": "This Idempotency-Key was sent before, with another request."})


@task()
def forget_calls() -> None:
    """Delete calls whose keys are kept no longer. Harmless when it runs twice."""
    IdempotentCall.objects.filter(started_at__lt=timezone.now() - KEPT).delete()

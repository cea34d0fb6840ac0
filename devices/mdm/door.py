"""The entry point of devices: the hosts `<label>.mdm.<IRU_DOMAIN>`, on which they enroll and fetch their commands.

HostMiddleware calls it. It reads no cookie and no token: the signature of a message says whose it is, and a signed link
which app a device may fetch. A device takes
401 as the end of its enrollment, so that is never answered, and 403 only to a device that was deleted here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase

from access.addresses import client_address
from access.audit.security import SecurityEvent, report
from access.context import note_operation
from access.database import Failure, drop_if_read_only, failure_of, retried
from access.http.observing import note_cause
from access.refusals import Refusal
from devices.mdm.handlers import app_files, check_in, connect, enroll, scep
from devices.mdm.refusals import MdmRefused, Unrecognized

RETRY_AFTER = "30"  # seconds
UNRECOGNIZED = {"code": "com.apple.unrecognized.device"}
KIB, MIB = 1024, 1024 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handler:
    """`types` are the media types of the body that are accepted; empty for any. `maximum` is in bytes."""

    answer: Callable[[HttpRequest, str, bytes], HttpResponseBase]
    methods: frozenset[str]
    types: frozenset[str]
    maximum: int


HANDLERS = {
    "/check-in": Handler(
        check_in.answer, frozenset({"PUT"}), frozenset({"application/x-apple-aspen-mdm-checkin"}), 6 * MIB
    ),
    "/connect": Handler(connect.answer, frozenset({"PUT"}), frozenset({"application/x-apple-aspen-mdm"}), 8 * MIB),
    "/enroll": Handler(enroll.answer, frozenset({"POST"}), frozenset({"application/pkcs7-signature"}), 64 * KIB),
    "/files": Handler(app_files.answer, frozenset({"GET", "HEAD"}), frozenset(), 0),
    "/scep": Handler(scep.answer, frozenset({"GET", "POST"}), frozenset(), 64 * KIB),
}


def mdm(request: HttpRequest, label: str, path: str) -> HttpResponseBase:
    """Answer a request to the host of the tenant with this label. Every error has an answer that devices understand."""
    path = "/files" if path.startswith("/files/") else path.rstrip("/")  # a link belongs into no log
    handler = HANDLERS.get(path)
    if handler is None or request.method not in handler.methods:
        return HttpResponse(status=404 if handler is None else 405)
    note_operation(f"mdm{path}")
    try:
        body = _body(request, handler)
        return retried(lambda: handler.answer(request, label, body))
    except Unrecognized:
        return JsonResponse(UNRECOGNIZED, status=403)
    except MdmRefused as refused:
        # The reason may quote a stranger, and strangers may send what they like: one line a minute for each network.
        report(SecurityEvent.DEVICE_REFUSED, client_address(request), path=path)
        logger.info("A device was refused at %s: %s", path, refused)
        return _empty(refused.status)
    except Exception as error:  # noqa: BLE001 - every error has an answer that keeps the device enrolled
        return _failed(request, error)


def _body(request: HttpRequest, handler: Handler) -> bytes:
    if request.method in {"GET", "HEAD"}:
        return b""
    if handler.types and request.content_type not in handler.types:
        raise MdmRefused("The body is of another type.")
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > handler.maximum:
        raise MdmRefused("The body is too large.", status=413)
    body = request.read(handler.maximum + 1)
    if len(body) > handler.maximum:
        raise MdmRefused("The body is too large.", status=413)
    return body


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    drop_if_read_only(error)
    failure = failure_of(error)
    if isinstance(error, RequestDataTooBig):
        return HttpResponse(status=413)
    if isinstance(error, UnreadablePostError) or failure is Failure.VALUE:
        return HttpResponse(status=400)
    if failure is Failure.AWAY or isinstance(error, Refusal):
        note_cause(error)
    if failure is None and not isinstance(error, Refusal):
        logger.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
    # A device that is told 500 may give up what it was doing. 503 has it come again.
    status = error.status if isinstance(error, Refusal) and error.status not in {401, 403} else 503
    return _empty(status)


def _empty(status: int) -> HttpResponse:
    return HttpResponse(status=status, headers={"Retry-After": RETRY_AFTER} if status == 503 else {})

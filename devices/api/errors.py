"""The error responses of the API, with the bodies of the public API."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import (
    ObjectDoesNotExist,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from access.database import Failure, drop_if_read_only, failure_of
from access.http.observing import note_cause
from access.http.slow_clients import BodyTooSlow
from access.refusals import Refusal
from devices.api.rendering import json_response

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """Ends the request with this status, this JSON body and these headers."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers

    def response(self) -> HttpResponse:
        return json_response(self.body, self.status, self.headers)


def no_route() -> ApiError:
    return ApiError(404, {"message": "no Route matched with those values"})


def tenant_not_found() -> ApiError:
    return ApiError(404, {"error": "tenantNotFound"})


def not_found() -> ApiError:
    """An object that does not exist, or belongs to another tenant: both get the same answer."""
    return ApiError(404, {"detail": "Not found."})


def method_not_allowed(method: str, allowed: str) -> ApiError:
    return ApiError(405, {"detail": f'Method "{method}" not allowed.'}, {"Allow": allowed})


def unsupported_media_type(content_type: str) -> ApiError:
    return ApiError(415, {"detail": f'Unsupported media type "{content_type}" in request.'})


def parse_error(reason: str) -> ApiError:
    return ApiError(400, {"detail": f"JSON parse error - {reason}"})


def invalid(field: str, *messages: str) -> ApiError:
    return ApiError(400, {field: list(messages)})


def refused(message: str) -> ApiError:
    """A refusal in the form of a bare JSON string, as the public API has it."""
    return ApiError(400, message)


def too_slow() -> ApiError:
    return translate(BodyTooSlow())


def too_many_calls(wait: int = 1) -> ApiError:
    """`wait`: seconds after which the next call may come."""
    body = {"message": "API rate limit exceeded", "detail": "Request was throttled."}
    return ApiError(429, body, {"Retry-After": str(wait)})


def too_large() -> ApiError:
    return ApiError(413, {"detail": "The request body is too large."})


def unavailable() -> ApiError:
    return ApiError(503, {"detail": "The service is temporarily unavailable."}, {"Retry-After": "5"})


def unexpected() -> ApiError:
    return ApiError(500, {"message": "An unexpected error occurred"})


def refused_value() -> ApiError:
    return ApiError(400, {"detail": "The database cannot take one of the values that were sent."})


def translate(error: Exception) -> ApiError:
    """The API's answer to an exception; 500 to one that nothing else is for."""
    match error:
        case ApiError():
            return error
        case Refusal():
            return ApiError(error.status, error.body(), error.headers())
        case ObjectDoesNotExist():
            return not_found()
        case ValidationError() if hasattr(error, "error_dict"):
            return ApiError(400, error.message_dict)
        case ValidationError():
            return ApiError(400, {"detail": " ".join(error.messages)})
        case RequestDataTooBig():
            return too_large()
        case UnreadablePostError() | MultiPartParserError() | TooManyFieldsSent() | TooManyFilesSent():
            return ApiError(400, {"detail": "The request body could not be read."})
    match failure_of(error):
        case Failure.AWAY:
            return unavailable()
        case Failure.VALUE:
            return refused_value()
    return unexpected()


def answer(request: HttpRequest, error: Exception) -> ApiError:
    """`translate`, for a request that met the error: what no caller can mend is logged, with the request's line."""
    answer = translate(error)
    drop_if_read_only(error)
    if answer.status == 503:
        note_cause(error)
    match failure_of(error):
        case Failure.AWAY:
            logger.error("%s %s: the database did not answer: %s", request.method, request.path, error, exc_info=error)
        case Failure.VALUE:
            logger.warning("%s %s: the database refused a value: %s", request.method, request.path, error)
        case None if answer.status == 500:
            logger.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
    return answer

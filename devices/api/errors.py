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
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

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


def too_large() -> ApiError:
    return ApiError(413, {"detail": "The request body is too large."})


def unavailable() -> ApiError:
    return ApiError(503, {"detail": "The service is temporarily unavailable."}, {"Retry-After": "5"})


def translate(error: Exception) -> ApiError:
    """The API's answer to an exception. An unexpected one is logged and answers 500."""
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
        case OperationalError() | InterfaceError():
            logger.error("The database did not answer an API request.", exc_info=error)
            return unavailable()
        case _:
            logger.error("An API operation failed.", exc_info=error)
            return ApiError(500, {"message": "An unexpected error occurred"})

"""Errors of uploads and downloads, in the XML that clients of S3 read."""

import logging
from xml.sax.saxutils import escape

from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from access.database import Failure, drop_if_read_only, failure_of
from access.http.observing import note_cause
from access.refusals import Refusal
from devices.storage.files import AlreadyUploaded
from devices.storage.signatures import LinkRefused, UploadRefused

logger = logging.getLogger(__name__)

XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


class FileError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self) -> HttpResponse:
        body = XML.format(self.code, escape(str(self)))
        return HttpResponse(body, status=self.status, content_type="application/xml")


def access_denied() -> FileError:
    """The same answer for every invalid link, and for every file that does not exist."""
    return FileError(403, "AccessDenied", "Access Denied")


def no_such_key() -> FileError:
    return FileError(404, "NoSuchKey", "The file does not exist.")


def translate(error: Exception) -> FileError:
    match error:
        case FileError():
            return error
        case UploadRefused():
            return FileError(error.status, error.code, str(error))
        case LinkRefused():
            return access_denied()
        case ObjectDoesNotExist():
            return no_such_key()
        case AlreadyUploaded():
            return FileError(403, "AccessDenied", "Another file was uploaded here already.")
        case Refusal() if error.status == 408:
            return FileError(400, "RequestTimeout", str(error))
        case Refusal() if error.status == 503:
            return FileError(503, "SlowDown", str(error))
        case RequestDataTooBig():
            return too_large()
        case UnreadablePostError() | MultiPartParserError() | TooManyFieldsSent() | TooManyFilesSent():
            return FileError(400, "MalformedPOSTRequest", "The form is incomplete, or is not a form.")
        case OSError():
            return FileError(503, "ServiceUnavailable", "The file cannot be stored at the moment.")
    match failure_of(error):
        case Failure.AWAY:
            return FileError(503, "ServiceUnavailable", "The service is temporarily unavailable.")
        case Failure.VALUE:
            return FileError(400, "InvalidArgument", "The database cannot take one of the values that were sent.")
    return FileError(500, "InternalError", "An unexpected error occurred.")


def one_file() -> FileError:
    return FileError(400, "InvalidArgument", "POST requires exactly one file upload per request.")


def invalid_range(size: int) -> FileError:
    return FileError(416, "InvalidRange", f"The file has {size} bytes.")


def too_large() -> FileError:
    return FileError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")


def too_small() -> FileError:
    return FileError(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.")


def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """The response to a request with this error. Errors that the sender cannot correct are logged."""
    translated = translate(error)
    drop_if_read_only(error)
    if translated.status == 503:
        note_cause(error)
    if translated.code in {"InternalError", "ServiceUnavailable"}:
        logger.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
    response = translated.response()
    if translated.status == 503:
        response["Retry-After"] = "5"
    return response

"""A form with one large file, which a page streams to its destination.

The file is stored only after its sender is authorized: the guard of the view runs first. CSRF protection would read the
whole form, so it is applied here to the fields before the file.
"""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.middleware.csrf import CsrfViewMiddleware

from access.http import errors
from access.http.bodies import BodyStream, BodyTooLarge, FilesRefused, FormHandler, LengthRequired, multipart, read_form
from access.http.slow_clients import begin_transfer
from access.pages.guards import PageRequest, PageView
from access.refusals import Refusal


class UploadStopped(Exception):
    """The file is refused. The message is for the person who sent it."""


class Forged(Exception):
    """The form comes from another site. `response` is the refusal."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


class Receiver(FormHandler):
    """Receives the file of a form. `error` is the reason if it was refused, for the field of the file."""

    chunk_size = 256 * 1024
    error = ""

    request: PageRequest

    def __init__(self, request: PageRequest, maximum: int) -> None:
        super().__init__(request)
        self.maximum = maximum
        self._begun = False

    @abstractmethod
    def begin(self, name: str) -> None:
        """Called when the file begins. Raises UploadStopped for a file that cannot be accepted."""

    @abstractmethod
    def finish(self) -> None:
        """Called when the file is complete. Raises UploadStopped."""

    @abstractmethod
    def too_large(self) -> UploadStopped:
        """The error for a file that is larger than `maximum`."""

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        if self._begun or field_name != "file":
            raise FilesRefused
        self._begun = True
        prove_origin(self.request, self.fields)
        begin_transfer(self.request.META)
        if int(self.request.META["CONTENT_LENGTH"]) > self.maximum + settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise self.too_large()
        self.begin(file_name)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        return None

    def read(self) -> None:
        """Read the form into `request.POST`, and finish the file."""
        if "HTTP_TRANSFER_ENCODING" in self.request.META:
            raise LengthRequired
        if self.request.content_type != "multipart/form-data":
            read_form(self.request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        else:
            # The fields of a body that is too large are read too: the form is shown again with them and the error.
            stream = BodyStream(self.request, self.maximum + settings.DATA_UPLOAD_MAX_MEMORY_SIZE, cut=True)
            _set(self.request, QueryDict())
            try:
                with multipart(self.request, stream, [self]) as (fields, _):
                    _set(self.request, fields)
                if self._begun:
                    self.finish()
            except UploadStopped as stopped:
                _set(self.request, self.fields)
                self.error = str(stopped)
        if not self._begun:
            prove_origin(self.request, self.request.POST)


def takes_upload[R: Receiver, **P](
    receiver: Callable[[PageRequest], AbstractContextManager[R]],
) -> Callable[[Callable[Concatenate[PageRequest, R | None, P], HttpResponse]], PageView[P]]:
    """Declare that a page accepts a form with one file of any size, which `receiver` stores as it arrives.

    Apply it below the guard of the view. For a POST the view gets the receiver as a further argument, after the form is
    read and has passed CSRF protection. The middleware does not read the bodies of people who have signed in.
    """

    def declare(view: Callable[Concatenate[PageRequest, R | None, P], HttpResponse]) -> PageView[P]:
        @wraps(view)
        def receiving(request: PageRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method != "POST":
                return view(request, None, *args, **kwargs)
            with receiver(request) as upload:
                try:
                    upload.read()
                except Forged as forged:
                    return forged.response
                except (RequestDataTooBig, TooManyFieldsSent):
                    return errors.refused(request, BodyTooLarge())
                except (UnreadablePostError, MultiPartParserError):
                    return errors.bad_request(request)
                except Refusal as refusal:
                    return errors.refused(request, refusal)
                return view(request, upload, *args, **kwargs)

        receiving.csrf_exempt = True  # type: ignore[attr-defined] # the receiver applies it
        receiving.streams_body = True  # type: ignore[attr-defined] # see `read_page`
        return receiving

    return declare


def prove_origin(request: HttpRequest, fields: QueryDict) -> None:
    """Apply Django's CSRF protection to these fields of a form. Raises Forged."""
    _set(request, fields)
    refusal = _protection.process_view(request, _unused, (), {})
    if refusal is not None:
        raise Forged(cast("HttpResponse", refusal))


def _set(request: HttpRequest, fields: QueryDict) -> None:
    request.POST = cast("Any", fields)  # the stubs declare it immutable


def _unused(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


_protection = CsrfViewMiddleware(_unused)

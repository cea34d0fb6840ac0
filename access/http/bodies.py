"""The body of a request: never read past a maximum, whole for a page and as a stream where it may be large."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils.datastructures import MultiValueDict

from access.refusals import Refusal

PAGE_BODY = 64 * 1024  # bytes that a page takes, unless it declares more with `takes_body`
CHUNK = 64 * 1024
TAIL = 1024  # bytes: the last boundary of a multipart body is among them

type Files = MultiValueDict[str, UploadedFile[Any]]


class LengthRequired(Refusal):
    status = 411

    def __init__(self) -> None:
        super().__init__("Forms are sent with a Content-Length.")


class BodyTooLarge(Refusal):
    status = 413

    def __init__(self) -> None:
        super().__init__("The request body is too large.")


class FilesRefused(Refusal):
    status = 415

    def __init__(self) -> None:
        super().__init__("No file is accepted here.")


class NoFiles(FileUploadHandler):
    """The upload handler of every form: raises FilesRefused for a file, before any of it is stored.

    An operation of the API that takes files declares handlers of its own.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise FilesRefused


def takes_body[V: Callable[..., Any]](maximum: int) -> Callable[[V], V]:
    """Declare that a page takes bodies of up to `maximum` bytes (not over DATA_UPLOAD_MAX_MEMORY_SIZE)."""

    def declare(view: V) -> V:
        view.body_maximum = maximum  # type: ignore[attr-defined]
        return view

    return declare


class FilesInMemory(MemoryFileUploadHandler):
    """The upload handler of a page that accepts files. It keeps every file in memory, and writes none to disk."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True  # Django compares the size with a setting instead


def takes_files[V: Callable[..., Any]](maximum: int) -> Callable[[V], V]:
    """Declare that a page accepts a form with files, of up to `maximum` bytes in total (at most
    DATA_UPLOAD_MAX_MEMORY_SIZE). The files stay in memory. For people who have not signed in, the usual limits apply.
    """

    def declare(view: V) -> V:
        view.files_maximum = maximum  # type: ignore[attr-defined]
        return view

    return declare


def read_page(request: HttpRequest, view: Callable[..., Any], *, signed_in: bool) -> None:
    """Call `read_form` with the limits that the view declares. A view that streams its body gets it unread."""
    if signed_in and hasattr(view, "streams_body"):
        return
    maximum: int = getattr(view, "body_maximum", PAGE_BODY)
    if signed_in and hasattr(view, "files_maximum"):
        maximum = view.files_maximum
        request.upload_handlers = [FilesInMemory(request)]
    read_form(request, maximum)


def read_form(request: HttpRequest, maximum: int) -> None:
    """Read the body of a page's request, so that `request.body`, `POST` and `FILES` are in memory from now on.

    Raises BodyTooLarge for a Content-Length over `maximum` before a byte is read, LengthRequired for a chunked body,
    FilesRefused for a form with a file, and UnreadablePostError for a body that breaks off.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise LengthRequired
    length = body_length(request.META) or 0
    if length > maximum:
        raise BodyTooLarge
    if len(request.body) < length:
        raise UnreadablePostError("The body ended before its Content-Length.")
    if request.content_type == "multipart/form-data":
        request.POST  # noqa: B018 - parses the parts


class BodyStream:
    """The body of a request, as a file that can be read once.

    Raises RequestDataTooBig for a Content-Length over `maximum` before a byte is read, and for a chunked body, which
    has no length, as soon as it is longer. Raises UnreadablePostError for a body that ends before its Content-Length.
    With `cut` a Content-Length over `maximum` is not an error: the stream ends at `maximum`.
    """

    def __init__(self, request: HttpRequest, maximum: int, *, cut: bool = False) -> None:
        self._input = request.META["wsgi.input"]
        self._maximum = maximum
        self._position = 0
        self.tail = b""
        self.length = body_length(request.META)
        if self.length is not None and self.length > maximum and not cut:
            raise RequestDataTooBig("The Content-Length is over the maximum.")

    def read(self, size: int | None = None, /) -> bytes:
        # A chunked body is read to one byte past the maximum, to find out whether there is one.
        end = self._maximum + 1 if self.length is None else min(self.length, self._maximum)
        size = min(size or CHUNK, end - self._position)
        if size <= 0:
            return b""
        try:
            data: bytes = self._input.read(size)
        except OSError as error:
            raise UnreadablePostError(*error.args) from error
        self._position += len(data)
        if self._position > self._maximum:
            raise RequestDataTooBig("The body is longer than the maximum.")
        if not data and self.length is not None:
            raise UnreadablePostError("The body ended before its Content-Length.")
        self.tail = (self.tail + data)[-TAIL:] if len(data) < TAIL else data[-TAIL:]
        return data

    def read_all(self) -> bytes:
        return b"".join(iter(self.read, b""))


class FormParser(MultiPartParser):
    """Django's parser, with access to the fields that have arrived so far."""

    @property
    def fields(self) -> QueryDict:
        return cast("QueryDict", getattr(self, "_post", QueryDict()))


class FormHandler(FileUploadHandler):
    """An upload handler with access to the form: `fields` has the fields that came before the file."""

    parser: FormParser

    @property
    def fields(self) -> QueryDict:
        return self.parser.fields


@contextmanager
def multipart(
    request: HttpRequest, stream: BodyStream, handlers: list[FileUploadHandler]
) -> Iterator[tuple[QueryDict, Files]]:
    """The fields and the files of a multipart body, which goes through Django's upload handlers as it arrives.

    The files are closed on leaving. Raises MultiPartParserError for a body that is not whole, beside what the stream
    raises.
    """
    # The parser takes a length of 0 for an empty body, and looks at no other.
    meta: dict[str, Any] = {"CONTENT_TYPE": request.META["CONTENT_TYPE"], "CONTENT_LENGTH": stream.length or CHUNK}
    source: Any = stream  # the parser calls nothing but read()
    parser = FormParser(meta, source, handlers, request.encoding)
    for handler in handlers:
        if isinstance(handler, FormHandler):
            handler.parser = parser
    try:
        fields, files = parser.parse()
        # The parser accepts a body that breaks off between two parts or in a field.
        boundary = (request.content_params or {})["boundary"]
        if f"--{boundary}--".encode() not in stream.tail:
            _close(files)
            raise MultiPartParserError("The body ends before its last boundary.")
    except Exception:
        for handler in handlers:
            handler.upload_interrupted()
        raise
    try:
        yield fields, files
    finally:
        _close(files)


def _close(files: Files) -> None:
    for file in chain.from_iterable(each for _, each in files.lists()):
        file.close()


def body_length(environ: dict[str, Any]) -> int | None:
    """The length of the body; None where it is chunked and the server marks its end, as Granian does."""
    if "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated"):
        return None
    try:
        return max(int(environ.get("CONTENT_LENGTH") or 0), 0)
    except ValueError:
        return 0

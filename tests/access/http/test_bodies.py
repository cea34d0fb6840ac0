from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.request import UnreadablePostError
from django.test import RequestFactory

from access.http.bodies import BodyStream, multipart


def request(data: bytes, **environ: Any) -> HttpRequest:
    """A POST whose input is `data`, whatever the other values of `environ` say of it."""
    made = RequestFactory().generic("POST", "/", b"")
    made.META.pop("CONTENT_LENGTH", None)
    made.META.update({"wsgi.input": BytesIO(data), **environ})
    return made


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@pytest.mark.parametrize(
    ("environ", "body"),
    [
        ({"CONTENT_LENGTH": "6"}, b"abcdef"),
        ({"CONTENT_LENGTH": "3"}, b"abc"),  # what follows is the next request
        ({"CONTENT_LENGTH": ""}, b""),
        ({"CONTENT_LENGTH": "-1"}, b""),
        ({"CONTENT_LENGTH": "many"}, b""),
        ({}, b""),
        (CHUNKED, b"abcdef"),
        ({**CHUNKED, "CONTENT_LENGTH": "3"}, b"abcdef"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, b""),  # a server that does not mark the end would wait for ever
    ],
)
def test_a_body_ends_where_its_length_or_the_server_says(environ: dict[str, Any], body: bytes) -> None:
    assert BodyStream(request(b"abcdef", **environ), 6).read_all() == body


def test_a_length_over_the_maximum_is_refused_unread() -> None:
    made = request(b"abcdef", CONTENT_LENGTH="6")
    with pytest.raises(RequestDataTooBig):
        BodyStream(made, 5)
    assert made.META["wsgi.input"].tell() == 0


def test_a_chunked_body_is_refused_one_byte_past_the_maximum() -> None:
    made = request(b"abcdefghi", **CHUNKED)
    with pytest.raises(RequestDataTooBig):
        BodyStream(made, 5).read_all()
    assert made.META["wsgi.input"].tell() == 6


def test_a_body_that_ends_before_its_length_is_unreadable() -> None:
    with pytest.raises(UnreadablePostError):
        BodyStream(request(b"abc", CONTENT_LENGTH="4"), 5).read_all()


def test_a_broken_connection_is_unreadable() -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(UnreadablePostError):
        BodyStream(request(b"", CONTENT_LENGTH="4", **{"wsgi.input": Broken()}), 5).read_all()


def test_the_tail_is_the_end_of_what_was_read() -> None:
    data = bytes(range(256)) * 9
    stream = BodyStream(request(data, CONTENT_LENGTH=str(len(data))), len(data))
    while stream.read(100):
        assert len(stream.tail) <= 1024
    assert stream.tail == data[-1024:]


def test_a_handler_learns_that_its_upload_broke_off() -> None:
    class Handler(TemporaryFileUploadHandler):
        interrupted = False

        def upload_interrupted(self) -> None:
            self.interrupted = True
            super().upload_interrupted()

    data = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + bytes(2**20)
    made = request(data, **CHUNKED)
    made.META["CONTENT_TYPE"] = "multipart/form-data; boundary=b"
    handler = Handler(made)
    with pytest.raises(RequestDataTooBig), multipart(made, BodyStream(made, len(data) - 1), [handler]):
        pass
    assert handler.interrupted

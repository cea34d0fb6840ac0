"""Download a file by its signed link: whole or a range, in constant memory, and always as an attachment."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header

from access.database import let_go
from access.http.slow_clients import stream_answer
from devices.files import errors
from devices.models import StoredFile
from devices.storage.backends import CHUNK, files_storage
from devices.storage.signatures import LinkRefused, check_link

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
ELSEWHERE = timedelta(minutes=5)  # for the client to follow the redirect to S3
UNREADABLE = {StoredFile.State.RESERVED, StoredFile.State.DELETED}

type Response = HttpResponse | StreamingHttpResponse


def download(request: HttpRequest) -> Response:
    """The file of the link. Without a valid link the answer is the same for every file."""
    key = request.path_info.removeprefix("/files/").removeprefix("/")
    link = check_link(request.GET.get("auth", ""))
    if link.key != key:
        raise LinkRefused
    file = StoredFile.objects.filter(key=key, tenant__active=True).exclude(state__in=UNREADABLE).first()
    if file is None:
        raise errors.no_such_key()
    return send(request, file, link.filename)


def send(request: HttpRequest, file: StoredFile, filename: str) -> Response:
    """The file, or a range of it, from here; a redirect to the bucket that it is in. Raises FileError."""
    storage = files_storage()
    if not storage.embedded:
        origin = request.build_absolute_uri("/").rstrip("/")
        return HttpResponseRedirect(storage.signed_url(file.key, origin=origin, lifetime=ELSEWHERE, filename=filename))
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{file.md5}"',
        "Content-Disposition": content_disposition_header(True, filename) or "attachment",
    }
    with ExitStack() as stack:
        try:
            content = stack.enter_context(storage.local(file.key))
        except FileNotFoundError:
            raise errors.no_such_key() from None
        size = content.seek(0, 2)
        wanted = _range(request, size, headers["ETag"])
        if wanted is None:
            status, first, end = 200, 0, size
        else:
            status, (first, end) = 206, wanted
            if first >= end:
                raise errors.invalid_range(size)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - first)
        if request.method == "HEAD":
            return HttpResponse(status=status, headers=headers, content_type="application/octet-stream")
        stream_answer(request.META)
        let_go()
        pieces = _Pieces(content, first, end - first, stack.pop_all())
    return StreamingHttpResponse(pieces, status=status, headers=headers, content_type="application/octet-stream")


def _range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Start and end (exclusive) of a single range of bytes; None for the whole file, also if the header is no range."""
    match = RANGE.fullmatch(request.META.get("HTTP_RANGE", "").strip())
    if match is None or match[0] == "bytes=-" or request.META.get("HTTP_IF_RANGE", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


class _Pieces:
    """The bytes from `first` on. Unlike a generator, it also closes the file when it is closed before the first one."""

    def __init__(self, content: BinaryIO, first: int, length: int, stack: ExitStack) -> None:
        self._content, self._first, self._length, self._stack = content, first, length, stack

    def __iter__(self) -> Iterator[bytes]:
        with self._stack:
            self._content.seek(self._first)
            length = self._length
            while length > 0 and (piece := self._content.read(min(CHUNK, length))):
                length -= len(piece)
                yield piece

    def close(self) -> None:
        """Called by Django when the answer ends, for whatever reason."""
        self._stack.close()

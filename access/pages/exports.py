"""The rows of a list as CSV. They are streamed, so that neither a long list nor a slow reader needs much memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from access.csv import csv_chunks, line
from access.pages.guards import PageRequest

PAGE = 2000  # rows in memory at a time
type Pages = Iterable[Sequence[Sequence[Any]]]


def csv_response(request: PageRequest, name: str, header: Sequence[str], pages: Pages) -> StreamingHttpResponse:
    """The rows as a file, whose name has the tenant and the day."""
    day = timezone.localdate().isoformat()
    filename = f"{name}-{request.tenant.subdomain}-{day}.csv"
    return StreamingHttpResponse(
        csv_chunks(header, (map(line, page) for page in pages)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


def pages_of[Row](rows: QuerySet[Any, Row]) -> Iterator[Sequence[Row]]:
    """The rows, a page at a time. PostgreSQL uses a server-side cursor."""
    return batched(rows.iterator(chunk_size=PAGE), PAGE, strict=False)

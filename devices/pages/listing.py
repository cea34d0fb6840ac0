"""A page of a list of any length: two queries however many rows there are, and a count that stops counting."""

from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Model, QuerySet

PER_PAGE = 50
COUNTED = 10_000  # beyond, a search is too wide for its exact number to matter
FEW = 500
LAST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Listing[M: Model]:
    """One page, in the words of Django's paginator where `components/pager.html` asks."""

    object_list: list[M]
    number: int
    total: int
    capped: bool  # there are more than `total`
    has_next: bool

    @property
    def paginator(self) -> "Listing[M]":
        return self

    @property
    def num_pages(self) -> int:
        return self.number + self.has_next

    @property
    def count(self) -> str:
        return f"{intcomma(self.total)}+" if self.capped else str(intcomma(self.total))

    @property
    def has_previous(self) -> bool:
        return self.number > 1

    @property
    def previous_page_number(self) -> int:
        return self.number - 1

    @property
    def next_page_number(self) -> int:
        return self.number + 1

    @property
    def start_index(self) -> str:
        return str(intcomma((self.number - 1) * PER_PAGE + 1))

    @property
    def end_index(self) -> str:
        return str(intcomma((self.number - 1) * PER_PAGE + len(self.object_list)))


def listing[M: Model](
    found: QuerySet[M], shown: QuerySet[M], number: object, *, total: int | None = None
) -> Listing[M]:
    """Page `number` of `found`, which is filtered and ordered; its rows are fetched by `shown`, with all they need.

    The keys come first, by an index alone where there is one, so that no row is read but those of the page. `total` is
    for who knows it already; without it rows are counted up to COUNTED, and listed beyond.
    """
    capped = False
    if total is None:
        matches = list(found.order_by().values_list("pk", flat=True)[: COUNTED + 1])
        capped = len(matches) > COUNTED
        total = min(len(matches), COUNTED)
        if total <= FEW:  # they need not be searched for a second time, only put in order
            found = shown.filter(pk__in=matches).order_by(*found.query.order_by)
    page = _page_number(number)
    if not capped:
        page = min(page, max(-(-total // PER_PAGE), 1))
    start = (page - 1) * PER_PAGE
    keys = list(found.values_list("pk", flat=True)[start : start + PER_PAGE + 1])
    rows = {row.pk: row for row in shown.filter(pk__in=keys[:PER_PAGE])}
    return Listing([rows[key] for key in keys[:PER_PAGE] if key in rows], page, total, capped, len(keys) > PER_PAGE)


def _page_number(text: object) -> int:
    digits = str(text)
    return min(max(int(digits), 1), LAST_PAGE) if digits.isdecimal() and len(digits) < 8 else 1

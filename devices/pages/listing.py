"""One page of a list of any length, in two queries, with a count that stops at a limit."""

from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Model, QuerySet

from access.keys_first import whole_rows

PER_PAGE = 50
COUNTED = 10_000  # beyond that, the exact number of matches does not help anybody
FEW = 500
LAST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Listing[M: Model]:
    """One page, with the attributes of Django's Page that `components/pager.html` reads."""

    object_list: list[M]
    number: int
    total: int
    capped: bool  # there are more rows than `total`
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
    matches: QuerySet[M], rows: QuerySet[M], number: object, *, total: int | None = None
) -> Listing[M]:
    """Page `number` of `matches`, which is filtered and ordered. `rows` fetches the rows of the page completely.

    Primary keys are read first, from an index where possible, so that only the rows of the page are read whole. Without
    `total` the matches are counted up to COUNTED; pages beyond that can still be opened.
    """
    capped = False
    if total is None:
        few = min(FEW, COUNTED)
        keys = list(matches.order_by().values_list("pk", flat=True)[: few + 1])
        total = len(keys)
        if total <= few:  # sorting a few known keys is cheaper than a second search
            matches = rows.filter(pk__in=keys).order_by(*matches.query.order_by)
        else:  # the database counts in a quarter of the time that the keys of all take
            total = matches.order_by()[: COUNTED + 1].count()
            capped = total > COUNTED
            total = min(total, COUNTED)
            if not capped:
                # They are found first and sorted: in the order of an index, the first of them may be far away.
                matches = rows.filter(pk__in=matches.order_by().values("pk")).order_by(*matches.query.order_by)
    page = page_number(number)
    if not capped:
        page = min(page, max(-(-total // PER_PAGE), 1))
    start = (page - 1) * PER_PAGE
    keys = list(matches.values_list("pk", flat=True)[start : start + PER_PAGE + 1])
    return Listing(whole_rows(rows, keys[:PER_PAGE]), page, total, capped, len(keys) > PER_PAGE)


def page_number(text: object) -> int:
    digits = str(text)
    return min(max(int(digits), 1), LAST_PAGE) if digits.isdecimal() and len(digits) < 8 else 1

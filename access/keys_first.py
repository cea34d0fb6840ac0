"""A part of a long list whose rows are wide or joined with others."""

from django.db.models import Model, QuerySet


def keys_first[M: Model](found: QuerySet[M], start: int, stop: int) -> list[M]:
    """The rows from `start` to before `stop` of what was found, in its order: first their keys, then the rows whole.

    A database finds the keys in the order of an index. Where most rows match, SQLite reads and sorts all of them for
    whole rows: that took 23 ms of a page with 10,000 tokens.
    """
    keys = list(found.values_list("pk", flat=True)[start:stop])
    rows = {row.pk: row for row in found.order_by().filter(pk__in=keys)}
    return [rows[key] for key in keys if key in rows]  # a row may have gone in between

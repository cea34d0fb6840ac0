"""Pages of a long list whose rows are wide or joined with others."""

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet

from access.keys_first import keys_first


class KeysFirstPaginator[M: Model](Paginator[M]):
    """Django's paginator, which reads the primary keys of a page first and then its rows whole."""

    object_list: QuerySet[M]

    def page(self, number: int | str) -> Page[M]:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        return Page(keys_first(self.object_list, start, start + self.per_page), number, self)

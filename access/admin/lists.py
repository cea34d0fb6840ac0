"""Lists that stay fast however many rows their table has: a bounded count, and a window on the newest rows."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from access.admin.words import label
from access.models import Tenant

MOST = 10_000  # rows that are counted, paged, searched and filtered
SUBDOMAIN = "tenant"  # the parameter that TenantFilter reads


class BoundedPaginator(Paginator):  # type: ignore[type-arg] # generic only in its stubs
    """Counts no further than 10,000 rows, so that neither a count nor a page reads a whole table. `more`: there are."""

    @cached_property
    def _bounded(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._bounded, MOST)

    @property
    def more(self) -> bool:
        return self._bounded > MOST


class Rows(ChangeList):
    """A list whose filters are called in the product's words."""

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        for filter_ in found[0]:
            filter_.title = label(getattr(filter_, "field_path", ""), filter_.title)
        return found


class NewestRows(Rows):
    """A list whose search and filters look at the newest rows alone, of all tenants or of the chosen one."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        narrowed = {key for key, value in request.GET.items() if value} - {"p", SUBDOMAIN}
        if narrowed:
            rows = self.root_queryset.order_by("-pk")
            model_admin: Any = self.model_admin
            if tenant := chosen_tenant(request):
                rows = rows.filter(**{model_admin.tenant_path: tenant})
            oldest = rows.values_list("pk", flat=True)[MOST - 1 : MOST].first()
            if oldest is not None:
                exact: Any = model_admin.exactly(request, self.query) if self.query else None
                newest = Q(pk__gte=oldest)
                within = newest if exact is None else newest | Q(pk__in=list(exact.values_list("pk", flat=True)[:MOST]))
                self.root_queryset = self.root_queryset.filter(within)
        found: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return found

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """Related rows are fetched for the rows of the page. In a join, a database may begin at the other table: SQLite
        then sorted all of 1,000,000 devices for each page, which took ten seconds."""
        related = self.list_select_related
        return qs.prefetch_related(*related) if isinstance(related, (list, tuple)) else qs


class TenantFilter(admin.SimpleListFilter):
    """Rows of one tenant, whose subdomain is typed: a list of links would be as long as the installation is large."""

    title = "Tenant"
    parameter_name = SUBDOMAIN
    template = "admin/tenant_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.path = model_admin.tenant_path
        return [("", "Any")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        tenant = chosen_tenant(request)
        return queryset.filter(**{self.path: tenant}) if tenant else queryset.none()

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Which subdomain is chosen, and the parameters that its form repeats."""
        kept = {key: value for key, value in changelist.params.items() if key != SUBDOMAIN}
        if changelist.query:
            kept[SEARCH_VAR] = changelist.query
        kept |= {key: values[-1] for key, values in changelist.filter_params.items() if key != SUBDOMAIN}
        yield {"value": self.value() or "", "kept": kept}


def chosen_tenant(request: HttpRequest) -> Tenant | None:
    """The tenant with the subdomain of the filter, asked for once in a request."""
    subdomain = request.GET.get(SUBDOMAIN, "").strip().lower()
    if not subdomain:
        return None
    if not hasattr(request, "chosen_tenant"):
        request.chosen_tenant = Tenant.objects.filter(subdomain=subdomain).first()  # type: ignore[attr-defined]
    found: Tenant | None = request.chosen_tenant  # type: ignore[attr-defined]
    return found

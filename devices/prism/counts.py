"""The number of occurrences of each value of a column in a category."""

from typing import Any

from django.db.models import Q, QuerySet, Sum

from access.models import Tenant
from devices.models import PrismReport
from devices.models.prism.columns import Category, Column
from devices.models.prism.tables import CONTENTS
from devices.prism.columns import Conditions


def value_counts(
    tenant: Tenant, category: Category, column: Column, most: int, conditions: Conditions
) -> list[tuple[Any, int]]:
    """(value, number of rows) of the most frequent values, the most frequent first. In one query, on few rows.

    The place of the column must be the device or the content, which store the number of their rows. The conditions
    apply only if all are on contents. Otherwise the numbers are those of the whole category.
    """
    if column.place == "content":
        rows: QuerySet[Any] = CONTENTS[category.name].objects.filter(tenant=tenant, row_count__gt=0)
        rows = rows.filter((conditions.contents if conditions.only_contents else None) or Q())
        path = column.key
    elif column.place == "device":
        rows = PrismReport.objects.filter(tenant=tenant, category=category.name, row_count__gt=0)
        path = f"device__{column.path}"
    else:
        raise ValueError(f"{column.key} is not counted.")
    counted = rows.order_by().values(path).annotate(rows=Sum("row_count")).order_by("-rows", path)
    return list(counted.values_list(path, "rows")[:most])

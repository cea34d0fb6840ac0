"""Activity and status of library items of every kind."""

from typing import Any
from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, page_links, paginate
from devices.api.routing import Router
from devices.api.schemas.library_items import (
    ItemActivityOut,
    ItemActivityQuery,
    ItemStatusOut,
    ItemStatusPage,
    ItemStatusQuery,
)
from devices.api.sections import LIBRARY_ITEMS
from devices.library import items, statuses

router = Router(LIBRARY_ITEMS)


@router.operation(
    "GET",
    "/library/library-items/{library_item_id}/activity",
    id="get_library_item_activity",
    label="Get Library Item Activity",
    about="Get a list of the changes of a Library Item, newest first, also after it was deleted",
    response=Page[ItemActivityOut],
)
def get_library_item_activity(
    request: ApiRequest, library_item_id: UUID, query: ItemActivityQuery
) -> Page[ItemActivityOut]:
    conditions: dict[str, Any] = {
        "activity_type": query.activity_type,
        "user_id": str(query.user_id) if query.user_id else None,
        "user_email__iexact": query.user_email,
    }
    rows = items.activity_of(request.tenant, library_item_id)
    rows = rows.filter(**{name: value for name, value in conditions.items() if value is not None})
    return paginate(request, rows, query, ItemActivityOut.of)


@router.operation(
    "GET",
    "/library/library-items/{library_item_id}/status",
    id="get_library_item_statuses",
    label="Get Library Item Statuses",
    about="Get a list of the devices that a Library Item is for, and how it is doing on each",
    response=ItemStatusPage,
)
def get_library_item_statuses(request: ApiRequest, library_item_id: UUID, query: ItemStatusQuery) -> ItemStatusPage:
    item = statuses.item_with_contents(request.tenant, library_item_id)
    listed = statuses.Listed(item, status=query.status)
    if query.computer_id:
        rows = listed.of_device(query.computer_id)
        count, rows = len(rows), rows[query.offset :]
    else:
        count = len(listed)
        rows = listed.page(query.offset, query.limit) if query.offset < count else []
    following, preceding = page_links(request, query, count)
    results = [ItemStatusOut.of(row) for row in rows]
    return ItemStatusPage.model_construct(count=count, next=following, previous=preceding, results=results)

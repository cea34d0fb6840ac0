"""The Library: the list of its items, and the pages of each."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from access.pages.bars import Bar, drawn
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment, no_store, push_url
from access.pages.selection import marks
from access.roles import Capability, may
from devices.api.operations.blueprints import PROFILE
from devices.library import icons, items, statuses
from devices.library.desired import retries
from devices.library.desired.package_files import obstacle
from devices.library.kinds import CUSTOM_APP, CUSTOM_PROFILE, IPA_APP, Kind, contents_of, kind_of
from devices.library.profile_view import payloads_of
from devices.models import Assignment, LibraryItem
from devices.pages.forms.library import FAMILY_LABELS, LibraryFilter
from devices.pages.library_progress import lines_of_item
from devices.pages.listing import PER_PAGE, listing
from devices.text import as_words

# The editing pages of kinds with an uploaded file. All other kinds share one page.
EDIT_PAGES = {CUSTOM_APP.type: "custom-app-edit", IPA_APP.type: "ipa-app-edit"}
FILES = ("custom_app__file", "ipa_app__file")
# The tones of badges and bars, by the API's statuses.
TONES = {
    "PASS": "success",
    "SUCCESS": "success",
    "ENABLED": "success",
    "ERROR": "danger",
    "FAILED": "danger",
    "INCOMPATIBLE": "warning",
    "EXCLUDED": "warning",
    "CHANGE_PENDING": "info",
    "DOWNLOADING": "info",
    "INSTALLING": "info",
}


@requires(Capability.VIEW)
@require_GET
def item_list(request: PageRequest) -> HttpResponse:
    filters = LibraryFilter(request.GET, tenant=request.tenant)
    rows = request.tenant.library_items.annotate(blueprints=Count("assignments__blueprint", distinct=True))
    page = listing(filters.apply(), rows, request.GET.get("page"))
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        **marks(request, Capability.EDIT_BLUEPRINTS),
        "any_item": page.total > 0 or request.tenant.library_items.exists(),
    }
    response = fragment(request, "devices/library/list.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def item_page(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = own_item(request, item_id)
    kind, contents = kind_of(item), contents_of(item)
    context: dict[str, Any] = {
        "contents": contents,
        # A kind has its own template for its contents. Items without contents use the general template.
        "contents_template": f"devices/library/_{kind.contents}.html" if contents else "devices/library/_other.html",
    }
    if contents and kind is CUSTOM_PROFILE:
        context["payloads"] = payloads_of(contents.profile)
    # If the item's kind has no families, the contents have none of these columns.
    context["families"] = [label for name, label in FAMILY_LABELS.items() if getattr(contents, name, False)]
    if kind is CUSTOM_APP and contents:
        context["obstacle"] = obstacle(item, scripted=bool(contents.preinstall_script or contents.postinstall_script))
    if kind is IPA_APP:
        context["has_icon"] = bool(contents and icons.icon_key(contents.file))
    return _show(request, item, "overview", **context)


@requires(Capability.VIEW)
@require_GET
def item_devices(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = own_item(request, item_id)
    counts = statuses.counts_of(item)
    chosen = request.GET.get("status", "").upper()
    chosen = chosen if chosen in {status.upper() for status in counts} else ""
    total = sum(count for status, count in counts.items() if not chosen or status.upper() == chosen)
    page = Paginator(range(total), PER_PAGE).get_page(request.GET.get("page"))
    rows = statuses.Listed(item, status=chosen).page(page.start_index() - 1, PER_PAGE) if total else []
    bars = [
        Bar(label=as_words(status), count=count, href=f"?status={status.upper()}", tone=TONES.get(status.upper(), ""))
        for status, count in counts.items()
    ]
    context = {
        "page": page,
        "rows": lines_of_item(item, rows),
        "any_failed": retries.failures(item) > 0,
        "bars": drawn(bars),
        "chosen": chosen,
        "query": urlencode({"status": chosen}) if chosen else "",
        "pending_is_computed": any(row.reported is None for row in rows),
        **marks(request, Capability.EDIT_DEVICES),
    }
    return _show(request, item, "devices", **context)


@requires(Capability.VIEW)
@require_GET
def item_activity(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = own_item(request, item_id)
    activity = items.activity_of(request.tenant, item_id)
    return _show(request, item, "activity", page=Paginator(activity, PER_PAGE).get_page(request.GET.get("page")))


@requires(Capability.EDIT_LIBRARY)
@require_GET
def download_profile(request: PageRequest, item_id: UUID) -> HttpResponse:
    """The whole file, including secrets, for people who may replace it."""
    item = get_object_or_404(items.items_of(request.tenant, CUSTOM_PROFILE), uuid=item_id)
    name = f"attachment; filename=profile-{item.uuid}.mobileconfig"
    headers = {"Content-Disposition": name}
    return no_store(HttpResponse(item.custom_profile.profile, content_type=PROFILE, headers=headers))


@requires(Capability.VIEW)
@require_GET
def icon(request: PageRequest, item_id: UUID) -> HttpResponse:
    """The icon of an in-house app. Raises Http404 if it has none that can be shown."""
    app = get_object_or_404(items.items_of(request.tenant, IPA_APP).select_related("ipa_app__file"), uuid=item_id)
    try:
        return HttpResponse(icons.icon_of(app.ipa_app.file), content_type="image/png")
    except (FileNotFoundError, icons.UnreadableIcon):
        raise Http404 from None


def own_item(request: PageRequest, item_id: UUID) -> LibraryItem:
    """The tenant's item with this id, with its contents and its blueprints. Raises Http404."""
    assignments = Prefetch(
        "assignments", Assignment.objects.select_related("blueprint", "node").order_by("blueprint__name", "pk")
    )
    found = request.tenant.library_items.select_related("tenant", "category", *statuses.CONTENTS, *FILES)
    return get_object_or_404(found.prefetch_related(assignments), uuid=item_id)


def _show(request: PageRequest, item: LibraryItem, tab: str, **context: Any) -> HttpResponse:
    kind: Kind = kind_of(item)
    edits = may(request.user, Capability.EDIT_LIBRARY)
    editable = edits and contents_of(item)
    frame = {
        "item": item,
        "kind": kind,
        "tab": tab,
        "edit_url": reverse(EDIT_PAGES.get(item.type, "library-item-edit"), args=[item.uuid]) if editable else "",
        "delete_url": reverse("library-item-delete", args=[item.uuid]) if edits else "",
    }
    return render(request, f"devices/library/{tab}.html", frame | context)

from access.replica import replica_for
from devices.api.identity import ApiRequest
from devices.api.pagination import CursorPage, cursor_page
from devices.api.routing import Router
from devices.api.schemas.audit import AuditEventOut, AuditQuery
from devices.api.sections import AUDIT_LOGS

router = Router(AUDIT_LOGS)


@router.operation(
    "GET",
    "/audit/events",
    id="list_audit_events",
    label="List Audit Events",
    about="Get a list of what administrators and API tokens have changed or read",
    response=CursorPage[AuditEventOut],
)
def list_audit_events(request: ApiRequest, query: AuditQuery) -> CursorPage[AuditEventOut]:
    events = request.tenant.audit_events.using(replica_for(request.tenant))
    return cursor_page(
        request,
        events.within(query.start_date, query.end_date),
        size=query.limit,
        cursor=query.cursor,
        result=AuditEventOut.of,
        # Events are numbered in the order in which they occurred; unlike the moments, no two numbers are the same.
        order=("sequence",),
        descending=query.sort_by.startswith("-"),
    )

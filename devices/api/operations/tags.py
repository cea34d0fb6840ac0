from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, single_page
from devices.api.routing import Router
from devices.api.schemas.tags import TagBody, TagOut, TagQuery
from devices.api.sections import TAGS
from devices.fleet import tags as services

router = Router(TAGS)


@router.operation(
    "GET",
    "/tags",
    id="list_tags",
    label="Get Tags",
    about="Get a list of all tags in the tenant",
    response=Page[TagOut],
)
def list_tags(request: ApiRequest, query: TagQuery) -> Page[TagOut]:
    return single_page(request.tenant.tags.filter(name__icontains=query.search).order_by("name", "pk"), TagOut.of)


@router.operation(
    "POST", "/tags", id="create_tag", label="Create Tag", about="Create a tag", response=TagOut, status=201
)
def create_tag(request: ApiRequest, body: TagBody) -> TagOut:
    return TagOut.of(services.create_tag(tenant=request.tenant, name=body.name, actor=request.actor))


@router.operation(
    "GET",
    "/tags/{tag_id}",
    id="get_tag",
    label="Get Tag",
    about="Get one tag",
    response=TagOut,
    ours=True,
)
def get_tag(request: ApiRequest, tag_id: UUID) -> TagOut:
    return TagOut.of(request.tenant.tags.get(uuid=tag_id))


@router.operation("PATCH", "/tags/{tag_id}", id="update_tag", label="Update Tag", about="Rename a tag", response=TagOut)
def update_tag(request: ApiRequest, tag_id: UUID, body: TagBody) -> TagOut:
    return TagOut.of(services.rename_tag(tenant=request.tenant, tag_id=tag_id, name=body.name, actor=request.actor))


@router.operation("DELETE", "/tags/{tag_id}", id="delete_tag", label="Delete Tag", about="Delete a tag", status=204)
def delete_tag(request: ApiRequest, tag_id: UUID) -> None:
    services.delete_tag(tenant=request.tenant, tag_id=tag_id, actor=request.actor)

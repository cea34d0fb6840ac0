from uuid import UUID, uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import AssignmentNode, Blueprint, LibraryItem
from tests.factories.devices import AssignmentFactory, AssignmentNodeFactory, BlueprintFactory, LibraryItemFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_blueprint_library_items", "assign_library_item", "remove_library_item")


class Library:
    """The library calls about one blueprint."""

    def __init__(self, api: Call, token: IssuedApiToken, blueprint: Blueprint) -> None:
        self.api, self.token, self.url = api, token, f"/api/v1/blueprints/{blueprint.uuid}"

    def assign(self, item: LibraryItem | UUID, node: AssignmentNode | UUID | None = None) -> Response:
        return self._change("assign", item, node)

    def remove(self, item: LibraryItem | UUID, node: AssignmentNode | UUID | None = None) -> Response:
        return self._change("remove", item, node)

    def names(self) -> list[str]:
        page = self.api("GET", f"{self.url}/list-library-items", self.token).json()
        assert (page["count"], page["next"], page["previous"]) == (len(page["results"]), None, None)
        assert all(list(row) == ["id", "name"] for row in page["results"])
        return [row["name"] for row in page["results"]]

    def _change(self, verb: str, item: LibraryItem | UUID, node: AssignmentNode | UUID | None) -> Response:
        body = {"library_item_id": str(getattr(item, "uuid", item))}
        if node is not None:
            body["assignment_node_id"] = str(getattr(node, "uuid", node))
        return self.api("POST", f"{self.url}/{verb}-library-item", self.token, json=body)


@pytest.fixture
def classic(api: Call, token: IssuedApiToken, tenant: Tenant) -> Library:
    return Library(api, token, BlueprintFactory.create(tenant=tenant))


def refusal(answer: Response) -> object:
    assert answer.status_code == 400
    return answer.json()


def test_items_come_and_go(classic: Library, tenant: Tenant) -> None:
    zoom, slack = (LibraryItemFactory.create(tenant=tenant, name=name) for name in ("Zoom", "Slack"))
    answer = classic.assign(zoom)
    assert (answer.status_code, answer.json()) == (200, [str(zoom.uuid)])
    assert classic.assign(slack).json() == [str(slack.uuid), str(zoom.uuid)]
    assert classic.names() == ["Slack", "Zoom"]
    assert refusal(classic.assign(zoom)) == "Library Item already exists on Blueprint"
    assert classic.remove(zoom).json() == [str(slack.uuid)]
    assert refusal(classic.remove(zoom)) == "Library Item does not exist on Blueprint"
    events = tenant.audit_events.filter(target_component="library_items").order_by("sequence")
    assert [(event.summary, event.metadata and event.metadata["library_item"]["name"]) for event in events] == [
        ("Library Item assigned to Blueprint", "Zoom"),
        ("Library Item assigned to Blueprint", "Slack"),
        ("Library Item removed from Blueprint", "Zoom"),
    ]


def test_a_classic_blueprint_has_no_nodes(classic: Library, tenant: Tenant) -> None:
    item = LibraryItemFactory.create(tenant=tenant)
    for change in (classic.assign, classic.remove):
        assert refusal(change(item, uuid4())) == "assignment_node_id cannot be provided for Classic Blueprint"


def test_a_map_takes_items_on_its_nodes(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    first = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    second = AssignmentNodeFactory.create(blueprint=first.blueprint)
    library = Library(api, token, first.blueprint)
    item = LibraryItemFactory.create(tenant=tenant)
    for change in (library.assign, library.remove):
        assert refusal(change(item)) == "Must provide assignment_node_id for Assignment Map Blueprint"
    assert library.assign(item, first).json() == [str(item.uuid)]
    assert refusal(library.assign(item, first)) == "Library Item already exists in Assignment Node"
    assert library.assign(item, second).json() == [str(item.uuid)]
    assert len(library.names()) == 1
    assert library.remove(item, first).json() == [str(item.uuid)]
    assert refusal(library.remove(item, first)) == "Library Item does not exist in Assignment Node"
    assert library.remove(item, second).json() == []


def test_a_map_without_nodes_takes_items_itself(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    library = Library(api, token, BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP))
    item = LibraryItemFactory.create(tenant=tenant)
    assert library.assign(item).json() == [str(item.uuid)]
    assert library.remove(item).json() == []


def test_a_map_without_conditional_logic_has_a_default_node(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    library = Library(api, token, node.blueprint)
    one, other = LibraryItemFactory.create_batch(2, tenant=tenant)
    assert library.assign(one).json() == [str(one.uuid)]
    assert node.assignments.get().library_item == one
    assert refusal(library.assign(one)) == "Library Item already exists on Blueprint"
    assert refusal(library.assign(one, node)) == "Library Item already exists in Assignment Node"
    assert refusal(library.remove(other)) == "Library Item does not exist on Blueprint"
    assert library.remove(one).json() == []
    library.assign(other, node)
    assert library.remove(other).json() == []


@pytest.mark.parametrize("type", ["macos-release", "kandji-setup", "threat-security-policy"])
def test_some_types_come_once_in_a_place(type: str, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    elsewhere = AssignmentNodeFactory.create(blueprint=node.blueprint)
    library = Library(api, token, node.blueprint)
    one, other = LibraryItemFactory.create_batch(2, tenant=tenant, type=type)
    assert library.assign(one, node).status_code == 200
    assert refusal(library.assign(other, node)) == "Assignment node can only have one of this Library Item type."
    assert library.assign(other, elsewhere).status_code == 200
    assert library.remove(one, node).status_code == 200
    assert library.assign(other, node).status_code == 200


def test_objects_of_another_tenant_cannot_be_assigned(
    api: Call, token: IssuedApiToken, classic: Library, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = AssignmentFactory.create(blueprint__tenant=other_tenant).library_item
    for item in (theirs, uuid4()):
        answer = classic.assign(item)
        assert (answer.status_code, list(answer.json())) == (400, ["library_item_id"])
        assert refusal(classic.remove(item)) == "Library Item does not exist on Blueprint"
    mine = LibraryItemFactory.create(tenant=tenant)
    library = Library(api, token, AssignmentNodeFactory.create(blueprint__tenant=tenant).blueprint)
    for node in (
        AssignmentNodeFactory.create(blueprint__tenant=other_tenant),
        AssignmentNodeFactory.create(blueprint__tenant=tenant),
        uuid4(),
    ):
        assert refusal(library.assign(mine, node)) == "Assignment node not found"
        assert refusal(library.remove(mine, node)) == "Library Item does not exist in Assignment Node"
    assert (classic.names(), library.names()) == ([], [])


def test_a_malformed_uuid_is_a_field_error(api: Call, token: IssuedApiToken, classic: Library) -> None:
    answer = api("POST", f"{classic.url}/assign-library-item", token, json={"library_item_id": "x"})
    assert (answer.status_code, answer.json()) == (400, {"library_item_id": ["Must be a valid UUID."]})


def test_the_number_of_queries_does_not_grow_with_the_rows(
    classic: Library, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        AssignmentFactory.create(blueprint=tenant.blueprints.get(), library_item__tenant=tenant)
    with django_assert_num_queries(3):
        assert len(classic.names()) == 12

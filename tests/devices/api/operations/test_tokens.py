from tests.types import Call, IssueToken


def test_a_token_may_know_itself_without_any_permission(api: Call, issue_token: IssueToken) -> None:
    for token in (issue_token(), issue_token("list_users", "list_devices", name="Inventory sync")):
        assert api("GET", "/api/v1/token", token).json() == {
            "id": str(token.id),
            "name": token.name,
            "permissions": token.permissions,
            "api_url": "http://accuhive.api.iru.test/api/v1",
        }


def test_ping_needs_no_token_but_a_tenant(api: Call, issue_token: IssueToken) -> None:
    issue_token()
    answer = api("GET", "/app/v1/ping?source=iructl")
    assert (answer.status_code, answer.json()) == (200, "pong")
    unknown = api("GET", "/app/v1/ping", host="nobody.api.iru.test")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "tenantNotFound"})
    refused = api("POST", "/app/v1/ping")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")

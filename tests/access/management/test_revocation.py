"""The end of a token counts in every server process from the moment at which its answer is sent."""

import pytest

from access.audit.events import Actor
from access.tokens.lifecycle import revoke_token, set_permissions
from tests import processes
from tests.browser.servers import free_port
from tests.types import IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_another_process_ends_a_token_for_all_of_a_server(issue_token: IssueToken) -> None:
    actor, port = Actor.command("test"), free_port()
    token, other = issue_token("list_tags"), issue_token("list_tags")

    def statuses(secret: str) -> list[int | None]:
        """Of so many connections that every process of the server has some."""
        return [processes.status(port, "/api/v1/tags", {"Authorization": f"Bearer {secret}"}) for _ in range(24)]

    with processes.managed("serve", "--port", str(port), "--processes", "2"):
        processes.wait_for(lambda: processes.status(port) == 200, 60)
        assert statuses(token.secret) == [200] * 24 == statuses(other.secret)
        revoke_token(tenant=token.tenant, token_id=token.id, actor=actor)
        assert statuses(token.secret) == [401] * 24
        set_permissions(tenant=other.tenant, token_id=other.id, permissions=[], version=other.version, actor=actor)
        assert statuses(other.secret) == [403] * 24

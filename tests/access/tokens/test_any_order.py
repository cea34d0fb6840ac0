"""The life of a token in any order, over HTTP, against a model that says which of its secrets opens what."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from access.models import ApiToken
from tests.access.pages.test_tokens import freshen, person
from tests.factories.access import TenantFactory

OPERATIONS = {"list_users": "/api/v1/users", "list_tags": "/api/v1/tags"}
SECRET = re.compile(r'<code class="wrap">([0-9a-f-]{36})</code>')
ENDS = ["button", "time", "use"]  # the ways in which an overlap ends
permissions = st.sets(st.sampled_from(sorted(OPERATIONS)))


@dataclass
class Model:
    """What a token should be. `former` is the secret before the last rotation while it works, `ends` how it ends."""

    id: UUID
    secret: str
    permissions: set[str] = field(default_factory=set)
    former: str | None = None
    ends: str = ""
    dead: list[str] = field(default_factory=list)
    disabled: bool = False
    expired: bool = False

    @property
    def live(self) -> bool:
        return not (self.disabled or self.expired)

    def forget_former(self) -> None:
        if self.former:
            self.dead.append(self.former)
        self.former, self.ends = None, ""


class TokenLife(RuleBasedStateMachine):
    """One token at a time. After its revocation another one follows, and the secrets of the former stay dead."""

    def __init__(self) -> None:
        super().__init__()
        self.tenant = TenantFactory.create()
        self.browser = Client()
        self.browser.force_login(person(self.tenant, email=f"{uuid4()}@accuhive.test"))
        freshen(self.browser)
        self.ended: list[Model] = []
        self.model = self.create()

    def create(self) -> Model:
        sent = {"name": f"Any {len(self.ended)}", "expires": "never", "submission": str(uuid4())}
        found = SECRET.search(self.browser.post(reverse("token-create"), sent).content.decode())
        assert found
        return Model(self.tenant.api_tokens.latest("created_at").id, found[1])

    def post(self, view: str, model: Model | None = None, /, **data: object) -> Any:
        return self.browser.post(reverse(view, args=[(model or self.model).id]), data)

    def status(self, secret: str, operation: str) -> int:
        headers = {"host": self.tenant.api_host, "authorization": f"Bearer {secret}"}
        return Client().get(OPERATIONS[operation], headers=headers).status_code

    @property
    def stored(self) -> ApiToken:
        return ApiToken.objects.get(pk=self.model.id)

    @rule(chosen=permissions, older=st.booleans())
    def edit_permissions(self, chosen: set[str], older: bool) -> None:
        """`older`: on a page that was opened before the last change."""
        version = self.stored.version - older
        response = self.post("token-permissions", version=version, permission=sorted(chosen))
        assert response.status_code == (409 if older else 302)
        if not older:
            self.model.permissions = chosen

    @rule(overlap=st.sampled_from(["none", "1h", "24h", "until-used"]), then=st.sampled_from(["", *ENDS]))
    def rotate(self, overlap: str, then: str) -> None:
        model, response = self.model, self.post("token-rotate", overlap=overlap, submission=str(uuid4()))
        if model.former:
            assert response.status_code == 422
        else:
            found = SECRET.search(response.content.decode())
            assert found
            model.former, model.ends, model.secret = model.secret, overlap, found[1]
            if overlap == "none":
                model.forget_former()
        if then:
            self.end_overlap(then)

    @rule(how=st.sampled_from(ENDS))
    def end_overlap(self, how: str) -> None:
        model = self.model
        if how == "button":
            assert self.post("token-end-overlap").status_code == 302
            model.forget_former()
        elif how == "time" and model.former and model.ends != "until-used":
            past = timezone.now() - timedelta(seconds=1)
            ApiToken.objects.filter(pk=model.id).update(previous_until=past)
            model.forget_former()
        elif how == "use":
            self.status(model.secret, "list_users")
            if model.live and model.ends == "until-used":
                model.forget_former()

    @rule()
    def disable_or_enable(self) -> None:
        assert self.post("token-enable" if self.model.disabled else "token-disable").status_code == 302
        self.model.disabled = not self.model.disabled

    @rule(expires=st.sampled_from(["never", "30", "passed"]))
    def expire(self, expires: str) -> None:
        if expires == "passed":
            ApiToken.objects.filter(pk=self.model.id).update(expires_at=timezone.now() - timedelta(seconds=1))
        else:
            version = self.stored.version
            name = f"Any {len(self.ended)}, {version}"
            assert self.post("token-edit", name=name, expires=expires, version=version).status_code == 302
        self.model.expired = expires == "passed"

    @rule()
    def revoke(self) -> None:
        assert self.post("token-revoke", name=self.stored.name).status_code == 302
        self.ended.append(self.model)
        for view in ("token-edit", "token-rotate", "token-enable", "token-permissions", "token-revoke"):
            assert self.post(view).status_code == 404
        self.model = self.create()

    @invariant()
    def each_secret_opens_what_the_model_says(self) -> None:
        model = self.model
        # Asking with the new secret would end an overlap that lasts until then.
        waits = model.ends == "until-used" and model.live
        for secret in [*([model.former] if model.former else []), *([] if waits else [model.secret])]:
            for operation in OPERATIONS:
                allowed = 200 if operation in model.permissions else 403
                assert self.status(secret, operation) == (allowed if model.live else 401)
        for secret in model.dead[-2:]:
            assert self.status(secret, "list_users") == 401
        for each in self.ended[-1:]:
            for secret in (each.secret, *([each.former] if each.former else []), *each.dead[-1:]):
                assert self.status(secret, "list_users") == 401


@pytest.mark.slow
@pytest.mark.django_db
def test_a_token_lives_as_its_model_says_in_any_order() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        TokenLife,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=checks,
            phases=[Phase.generate],
        ),
    )

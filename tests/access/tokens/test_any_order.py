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
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from access.models import ApiToken
from tests.access.pages.test_tokens import freshen, person
from tests.factories.access import TenantFactory

OPERATIONS = {"list_users": "/api/v1/users", "list_tags": "/api/v1/tags", "list_blueprints": "/api/v1/blueprints"}
SECRET = re.compile(r'<code class="wrap">([0-9a-f-]{36})</code>')
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
    revoked: bool = False

    @property
    def live(self) -> bool:
        return not (self.disabled or self.expired or self.revoked)

    def forget_former(self) -> None:
        if self.former:
            self.dead.append(self.former)
        self.former, self.ends = None, ""


class TokenLife(RuleBasedStateMachine):
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.tenant = TenantFactory.create()
        self.models: list[Model] = []
        self.browser = Client()
        self.browser.force_login(person(self.tenant, email=f"{uuid4()}@accuhive.test"))
        freshen(self.browser)

    def post(self, view: str, model: Model, /, **data: object) -> Any:
        return self.browser.post(reverse(view, args=[model.id]), data)

    def status(self, secret: str, operation: str) -> int:
        headers = {"host": self.tenant.api_host, "authorization": f"Bearer {secret}"}
        return Client().get(OPERATIONS[operation], headers=headers).status_code

    def stored(self, model: Model) -> ApiToken:
        return ApiToken.objects.get(pk=model.id)

    @rule(target=tokens)
    def create(self) -> Model:
        sent = {"name": f"Any {len(self.models)}", "expires": "never", "submission": str(uuid4())}
        response = self.browser.post(reverse("token-create"), sent)
        found = SECRET.search(response.content.decode())
        assert found
        model = Model(self.tenant.api_tokens.latest("created_at").id, found[1])
        self.models.append(model)
        return model

    @rule(model=tokens, chosen=permissions)
    def edit_permissions(self, model: Model, chosen: set[str]) -> None:
        version = self.stored(model).version
        response = self.post("token-permissions", model, version=version, permission=sorted(chosen))
        assert response.status_code == (404 if model.revoked else 302)
        if not model.revoked:
            model.permissions = chosen

    @rule(model=tokens, chosen=permissions)
    def edit_permissions_of_an_older_page(self, model: Model, chosen: set[str]) -> None:
        version = self.stored(model).version - 1
        response = self.post("token-permissions", model, version=version, permission=sorted(chosen))
        assert response.status_code == (404 if model.revoked else 409)

    @rule(model=tokens, overlap=st.sampled_from(["none", "1h", "24h", "until-used"]))
    def rotate(self, model: Model, overlap: str) -> None:
        response = self.post("token-rotate", model, overlap=overlap, submission=str(uuid4()))
        if model.revoked or model.former:
            assert response.status_code == (404 if model.revoked else 422)
            return
        found = SECRET.search(response.content.decode())
        assert found
        model.former, model.ends, model.secret = model.secret, overlap, found[1]
        if overlap == "none":
            model.forget_former()

    @rule(model=tokens)
    def end_overlap(self, model: Model) -> None:
        response = self.post("token-end-overlap", model)
        assert response.status_code == (404 if model.revoked else 302)
        if not model.revoked:
            model.forget_former()

    @rule(model=tokens)
    def let_the_overlap_pass(self, model: Model) -> None:
        if model.former and model.ends != "until-used":
            ApiToken.objects.filter(pk=model.id).update(previous_until=timezone.now() - timedelta(seconds=1))
            model.forget_former()

    @rule(model=tokens)
    def disable(self, model: Model) -> None:
        assert self.post("token-disable", model).status_code == (404 if model.revoked else 302)
        model.disabled = True

    @rule(model=tokens)
    def enable(self, model: Model) -> None:
        assert self.post("token-enable", model).status_code == (404 if model.revoked else 302)
        model.disabled = model.disabled and model.revoked

    @rule(model=tokens)
    def let_it_expire(self, model: Model) -> None:
        ApiToken.objects.filter(pk=model.id).update(expires_at=timezone.now() - timedelta(seconds=1))
        model.expired = True

    @rule(model=tokens, expires=st.sampled_from(["never", "30"]))
    def edit(self, model: Model, expires: str) -> None:
        version = self.stored(model).version
        response = self.post("token-edit", model, name=f"N{version}", expires=expires, version=version)
        assert response.status_code == (404 if model.revoked else 302)
        if not model.revoked:
            model.expired = False

    @rule(model=consumes(tokens))
    def revoke(self, model: Model) -> None:
        name = self.stored(model).name
        assert self.post("token-revoke", model, name=name).status_code == (404 if model.revoked else 302)
        model.revoked = True

    @rule(model=tokens)
    def use_the_new_secret(self, model: Model) -> None:
        self.status(model.secret, "list_users")
        if model.live and model.ends == "until-used":
            model.forget_former()

    @invariant()
    def each_secret_opens_what_the_model_says(self) -> None:
        for model in self.models:
            former = [model.former] if model.former else []
            for operation in OPERATIONS:
                allowed = 200 if operation in model.permissions else 403
                for secret in former:
                    assert self.status(secret, operation) == (allowed if model.live else 401)
            for secret in model.dead[-3:]:
                assert self.status(secret, "list_users") == 401
            if model.ends == "until-used" and model.live:
                continue  # asking with the new secret would end the overlap
            for operation in OPERATIONS:
                allowed = 200 if operation in model.permissions else 403
                assert self.status(model.secret, operation) == (allowed if model.live else 401)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_token_lives_as_its_model_says_in_any_order() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        TokenLife,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=checks,
            phases=[Phase.generate],
        ),
    )

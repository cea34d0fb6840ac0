from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from access.addresses import client_address
from access.audit.events import Actor
from access.permissions import catalogue
from access.tokens import leaks, lifecycle, rotation
from devices.api import errors
from devices.api.identity import ApiRequest
from devices.api.pagination import Page, paginate
from devices.api.routing import Router
from devices.api.schemas.tokens import (
    IssuedTokenOut,
    LeakBody,
    LeakOut,
    ManagedTokenOut,
    RotationBody,
    TokenBody,
    TokenChanges,
    TokenOut,
    TokensQuery,
)
from devices.api.sections import API_TOKENS

router = Router()
management = Router(API_TOKENS)


@router.operation(
    "GET",
    "/token",
    id="get_token",
    label="This token",
    about="Get the name, permissions and API URL of the calling token; it needs no permission",
    response=TokenOut,
    ours=True,
)
def get_token(request: ApiRequest) -> TokenOut:
    return TokenOut.model_construct(
        id=request.token.id,
        name=request.token.name,
        permissions=sorted(request.token.permissions),
        api_url=request.tenant.api_url,
    )


@management.operation(
    "GET",
    "/tokens",
    id="list_api_tokens",
    label="List API tokens",
    about="Get a list of the tokens of the tenant, without their secrets",
    response=Page[ManagedTokenOut],
    sensitive=True,
    ours=True,
)
def list_api_tokens(request: ApiRequest, query: TokensQuery) -> Page[ManagedTokenOut]:
    tokens = request.tenant.api_tokens
    found = tokens.revoked() if query.state == "revoked" else tokens.listed()
    if query.state:
        found = found.in_state(query.state)
    return paginate(request, found.search(query.search), query, ManagedTokenOut.of, wide=True)


@management.operation(
    "POST",
    "/tokens",
    id="create_api_token",
    label="Create API token",
    about="Create a token; the answer is the only one that has its secret",
    response=IssuedTokenOut,
    status=201,
    sensitive=True,
    # The answer would be stored for a repeated call, and with it the secret.
    creates=False,
    ours=True,
)
def create_api_token(request: ApiRequest, body: TokenBody) -> IssuedTokenOut:
    issued = lifecycle.create_token(
        tenant=request.tenant,
        name=body.name,
        description=body.description,
        permissions=body.permissions,
        expires_at=body.expires_at,
        networks=body.networks,
        actor=_granting(request, "create_api_token", body.permissions),
    )
    return IssuedTokenOut.issued(issued.token, issued.secret)


@management.operation(
    "PATCH",
    "/tokens/{token_id}",
    id="update_api_token",
    label="Update API token",
    about="Change details, permissions, expiry or networks of a token, or disable or enable it",
    response=ManagedTokenOut,
    sensitive=True,
    ours=True,
)
@transaction.atomic
def update_api_token(request: ApiRequest, token_id: UUID, body: TokenChanges) -> ManagedTokenOut:
    token = lifecycle.locked(request.tenant, token_id)
    given = {name: value for name, value in body.given().items() if value is not None or name == "expires_at"}
    present = {name: getattr(token, name) for name in ("name", "description", "networks", "expires_at")}
    actor = _granting(request, "update_api_token", {*token.permissions, *given.get("permissions", ())})
    one: dict[str, Any] = {"tenant": request.tenant, "token_id": token_id, "actor": actor}
    details = {name: given.get(name, value) for name, value in present.items()}
    token = lifecycle.edit_token(**one, **details, version=token.version)
    if "permissions" in given:
        token = lifecycle.set_permissions(**one, permissions=given["permissions"], version=token.version)
    if "disabled" in given:
        token = (lifecycle.disable_token if given["disabled"] else lifecycle.enable_token)(**one)
    return ManagedTokenOut.of(token)


@management.operation(
    "POST",
    "/tokens/{token_id}/rotate",
    id="rotate_api_token",
    label="Rotate API token",
    about="Give a token a new secret; the answer is the only one that has it",
    response=IssuedTokenOut,
    sensitive=True,
    ours=True,
)
@transaction.atomic
def rotate_api_token(request: ApiRequest, token_id: UUID, body: RotationBody) -> IssuedTokenOut:
    token = lifecycle.locked(request.tenant, token_id)
    actor = _granting(request, "rotate_api_token", token.permissions)
    issued = rotation.rotate_token(tenant=request.tenant, token_id=token_id, overlap=body.overlap, actor=actor)
    return IssuedTokenOut.issued(issued.token, issued.secret)


@management.operation(
    "DELETE",
    "/tokens/{token_id}",
    id="revoke_api_token",
    label="Revoke API token",
    about="Revoke a token for good",
    status=204,
    sensitive=True,
    ours=True,
)
def revoke_api_token(request: ApiRequest, token_id: UUID) -> None:
    lifecycle.revoke_token(tenant=request.tenant, token_id=token_id, actor=request.actor)


@router.operation(
    "POST",
    "/tokens/leaked",
    id="report_leaked_token",
    label="Report a leaked token",
    about="Report the secret of a token that was found in public; it needs no token, and is limited per address",
    response=LeakOut,
    status=202,
    open=True,
    ours=True,
)
def report_leaked_token(request: ApiRequest, body: LeakBody) -> LeakOut:
    try:
        leaks.report_leak(secret=body.token, address=client_address(request))
    except leaks.TooManyReports as refusal:
        raise errors.too_many_calls(refusal.retry_after) from None
    return LeakOut(detail="Thank you. If this is a token of ours, it is disabled now and its owners are told.")


def _granting(request: ApiRequest, operation: str, permissions: Iterable[str]) -> Actor:
    """The calling token as author of a change of a token with these permissions. Raises BeyondOwnPermissions.

    The change is refused as well if the calling token loses one of them before it is committed.
    """
    lifecycle.check_within(permissions, request.token.permissions)
    return request.token.actor(catalogue.get(operation), grants=catalogue.known(permissions))

"""What operators look at is on record: in the trail of the installation, and in that of the tenant."""

import pytest
from django.contrib import admin
from django.db import Error
from django.test import Client
from django.urls import reverse

from access.admin.base import ReadOnly
from access.models import Administrator, ApiToken, AuditEvent, Tenant

pytestmark = pytest.mark.slow

MODELS = {model._meta.label: (model, model_admin) for model, model_admin in admin.site._registry.items()}


@pytest.mark.parametrize("label", MODELS)
def test_opening_an_object_is_on_record(
    console: Client, operator: Administrator, token: ApiToken, tenant: Tenant, label: str
) -> None:
    model, model_admin = MODELS[label]
    assert isinstance(model_admin, ReadOnly)
    rows = model._default_manager.all()
    if model in {Administrator, AuditEvent}:  # some of theirs are of the installation
        rows = rows.filter(tenant=tenant)
    row = rows.first()
    assert row
    before = AuditEvent.objects.count()
    console.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]))
    events = list(AuditEvent.objects.order_by("id")[before:])
    owned = label != "django_tasks_database.DBTaskResult"
    assert [event.tenant for event in events] == ([None, tenant] if owned else [None])
    assert {(event.action, event.summary, event.actor_id) for event in events} == {
        ("read", "Opened by an operator", str(operator.pk))
    }
    assert {event.target_id for event in events} == {str(getattr(row, "uuid", None) or row.pk)}
    said = events[0].metadata or {}
    assert (said["address"], said.get("tenant")) == ("127.0.0.1", "accuhive" if owned else None)


def test_searching_a_list_is_on_record_without_a_secret_that_was_pasted(console: Client, token: ApiToken) -> None:
    secret = "0f8fad5b-d9cb-469f-a165-70867728950e"
    console.get(reverse("admin:devices_device_changelist"), {"q": f"mac {secret}", "platform__exact": "Mac", "p": "1"})
    event = AuditEvent.objects.filter(tenant=None).latest("sequence")
    assert (event.action, event.summary, event.target_name) == ("read", "List searched by an operator", "devices")
    query = (event.metadata or {})["query"]
    assert set(query) == {"q", "platform__exact"}
    assert query["q"].startswith("mac [")
    assert secret not in str(event.metadata)
    console.get(reverse("admin:devices_device_changelist"))
    assert AuditEvent.objects.filter(tenant=None).latest("sequence").summary == "List opened by an operator"


def test_nothing_is_shown_that_could_not_be_recorded(
    console: Client, token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**facts: object) -> None:
        raise Error("The trail cannot be written.")

    monkeypatch.setattr("access.audit.looks.log_event", fail)
    for page in (
        reverse("admin:access_apitoken_change", args=[token.pk]),
        reverse("admin:access_apitoken_changelist"),
    ):
        with pytest.raises(Error):
            console.get(page)


def test_a_page_that_was_refused_is_not_on_record(owner: Administrator, token: ApiToken) -> None:
    client = Client()
    client.force_login(owner)
    before = AuditEvent.objects.filter(action="read").count()
    client.get(reverse("admin:access_apitoken_change", args=[token.pk]))
    assert AuditEvent.objects.filter(action="read").count() == before

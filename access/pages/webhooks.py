"""Access → Webhooks: the list, adding one and showing its secret once, its page with the deliveries, its changes."""

import uuid

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.kinds import KINDS
from access.models import Webhook
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.forms.webhooks import CreateWebhookForm, ReplaceSecretForm, WebhookForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data, no_store
from access.webhooks import lifecycle as services

PER_PAGE = 50
CHANGED = "webhooks-changed"


@manages_access
@require_GET
def webhook_list(request: PageRequest) -> HttpResponse:
    return render(request, "access/webhooks/list.html", {"webhooks": request.tenant.webhooks.all()})


@manages_access
@require_http_methods(["GET", "POST"])
def create(request: PageRequest) -> HttpResponse:
    form = CreateWebhookForm(form_data(request), request=request)
    if form.is_valid():
        try:
            issued = services.create_webhook(
                tenant=request.tenant,
                submission=form.cleaned_data["submission"],
                actor=request.actor,
                **form.values,
            )
        except services.AlreadySubmitted as earlier:
            notice = "The form was sent twice and made this one webhook. Its secret was shown once."
            return saved(request, reverse("webhook", args=[earlier.webhook.uuid]), CHANGED, notice)
        except ValidationError as error:
            refuse(form, error)
        else:
            return _reveal(request, issued)
    return show(request, Dialog("Add webhook", "Add webhook", reverse("webhooks")), form)


@manages_access
@require_GET
def view(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    webhook = get_object_or_404(request.tenant.webhooks, uuid=webhook_id)
    page = Paginator(webhook.deliveries.newest(), PER_PAGE).get_page(request.GET.get("page"))
    subscribed = [KINDS[each] for each in webhook.kinds if each in KINDS]
    return render(request, "access/webhooks/page.html", {"webhook": webhook, "subscribed": subscribed, "page": page})


@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    webhook = get_object_or_404(request.tenant.webhooks, uuid=webhook_id)
    form = WebhookForm.of(form_data(request), webhook)
    back = reverse("webhook", args=[webhook_id])
    if form.is_valid():
        try:
            services.edit_webhook(tenant=request.tenant, webhook_id=webhook_id, actor=request.actor, **form.values)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, CHANGED, "The webhook is saved.")
    return show(request, Dialog("Edit webhook", "Save", back), form)


@manages_access
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    webhook = get_object_or_404(request.tenant.webhooks, uuid=webhook_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        services.delete_webhook(tenant=request.tenant, webhook_id=webhook_id, actor=request.actor)
        notice = "The webhook is deleted. Nothing is sent to it any more."
        return saved(request, reverse("webhooks"), CHANGED, notice)
    dialog = Dialog(
        "Delete this webhook?",
        "Delete",
        reverse("webhook", args=[webhook_id]),
        about="Nothing is sent to it from then on, and its deliveries are deleted. This cannot be undone.",
        danger=True,
        facts={"URL": webhook.url},
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def replace_secret(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    get_object_or_404(request.tenant.webhooks, uuid=webhook_id)
    form = ReplaceSecretForm(form_data(request), request=request)
    if form.is_valid():
        try:
            issued = services.replace_secret(
                tenant=request.tenant,
                webhook_id=webhook_id,
                overlap=form.cleaned_data["overlap"],
                actor=request.actor,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _reveal(request, issued)
    dialog = Dialog(
        "Make a new secret?",
        "Make new secret",
        reverse("webhook", args=[webhook_id]),
        about="New messages are signed with it from the moment you confirm. It is shown once.",
    )
    return show(request, dialog, form)


@manages_access
@require_POST
def set_enabled(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Enable the webhook if the button says so, and disable it otherwise."""
    enabled = request.POST.get("enabled") == "1"
    services.set_enabled(tenant=request.tenant, webhook_id=webhook_id, enabled=enabled, actor=request.actor)
    notice = "The webhook is enabled. Messages that waited are sent now." if enabled else "The webhook is disabled."
    messages.success(request, notice)
    return redirect("webhook", webhook_id)


@manages_access
@require_POST
def test(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    try:
        delivery = services.send_test(tenant=request.tenant, webhook_id=webhook_id, actor=request.actor)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("webhook", webhook_id)
    messages.success(request, "The test message is on its way. Load this page again to see the answer.")
    return redirect("webhook-delivery", webhook_id, delivery.uuid)


@manages_access
@require_GET
def delivery_view(request: PageRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
    webhook = get_object_or_404(request.tenant.webhooks, uuid=webhook_id)
    delivery = get_object_or_404(webhook.deliveries, uuid=delivery_id)
    context = {"webhook": webhook, "delivery": delivery, "kind": KINDS.get(delivery.kind)}
    return render(request, "access/webhooks/delivery.html", context)


@manages_access
@require_POST
def redeliver(request: PageRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
    try:
        services.redeliver(tenant=request.tenant, webhook_id=webhook_id, delivery_id=delivery_id, actor=request.actor)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, "The message is sent again. Load this page again to see the answer.")
    return redirect("webhook-delivery", webhook_id, delivery_id)


def _reveal(request: PageRequest, issued: services.IssuedSecret) -> HttpResponse:
    """The only response that holds the secret. It is no redirect, and nothing stores or repeats it."""
    webhook: Webhook = issued.webhook
    piece = "access/webhooks/reveal.html#step" if request.htmx else "access/webhooks/reveal.html"
    return no_store(render(request, piece, {"webhook": webhook, "secret": issued.secret}))

"""The filters of the tenant's activity: one for each column."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from access.audit.subjects import subjects
from access.models import AuditEvent
from access.models.audit import AuditEventQuerySet
from access.pages.forms.filters import ListFilter


class ActivityFilter(ListFilter):
    """`q` is a part of the subject's name. Days are those of the viewer's time zone."""

    first = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(required=False, label="Until", widget=forms.DateInput(attrs={"type": "date"}))
    who = forms.CharField(required=False, max_length=100, label="Instigator")
    kind = forms.ChoiceField(
        required=False, choices=[("", "Anybody"), *AuditEvent.ActorType.choices], label="Kind of instigator"
    )
    subject = forms.ChoiceField(required=False, label="Subject type")
    action = forms.ChoiceField(required=False, choices=[("", "Any"), *AuditEvent.Action.choices], label="Action")

    def set_choices(self) -> None:
        named = sorted(subjects.items(), key=lambda item: item[1].casefold())
        self.fields["subject"].choices = [("", "Any"), *named]  # type: ignore[attr-defined]

    @property
    def by_text(self) -> bool:
        """Whether names are searched, which reads the whole trail where few match."""
        return bool(self.cleaned_data.get("q") or self.cleaned_data.get("who"))

    def matching(self) -> AuditEventQuerySet:
        given: dict[str, Any] = self.cleaned_data
        events: AuditEventQuerySet = self.tenant.audit_events.all()
        equal = {"actor_type": "kind", "target_type": "subject", "action": "action"}
        contained = {"actor_name__icontains": "who", "target_name__icontains": "q"}
        wanted = {lookup: given[name] for lookup, name in (equal | contained).items() if given.get(name)}
        first, last = given.get("first"), given.get("last")
        events = events.between(_midnight(first), _midnight(last + timedelta(days=1)) if last else None)
        return events.filter(**wanted).order_by("-sequence")


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None

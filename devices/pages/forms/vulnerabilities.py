"""The filters of the list of vulnerabilities."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from access.models import Tenant
from devices.models import Severity, Vulnerability

SEVERITIES = {severity.name.lower(): severity for severity in reversed(Severity)}
MOST_URGENT = ("-known_exploited", "-severity", "-device_count", "cve_id")


class VulnerabilityFilter(forms.Form):
    """Search and filters. Every field is optional, and invalid values are ignored."""

    q = forms.CharField(required=False, max_length=100)
    severity = forms.ChoiceField(
        required=False,
        choices=[("", "Any severity"), *((name, severity.label) for name, severity in SEVERITIES.items())],
    )
    exploited = forms.ChoiceField(
        required=False,
        label="Known to be exploited",
        choices=[("", "Exploited or not"), ("yes", "Known to be exploited")],
    )
    status = forms.ChoiceField(
        required=False, choices=[("", "Active"), ("remediated", "Remediated"), ("all", "Active and remediated")]
    )

    def __init__(self, data: Any, *, tenant: Tenant) -> None:
        super().__init__(data)
        self.tenant = tenant
        self.full_clean()

    @property
    def chosen(self) -> dict[str, str]:
        """The active fields, as parameters of the page's URL."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    def apply(self) -> QuerySet[Vulnerability]:
        """The matching vulnerabilities, the most urgent first."""
        rows = self.tenant.vulnerabilities.order_by(*MOST_URGENT)
        match self.chosen.get("status"):
            case None:
                rows = rows.filter(device_count__gt=0)
            case "remediated":
                rows = rows.filter(device_count=0)
        if name := self.chosen.get("severity"):
            rows = rows.filter(severity=SEVERITIES[name])
        if "exploited" in self.chosen:
            rows = rows.filter(known_exploited=True)
        if text := self.chosen.get("q"):
            written = Cast("software", TextField())
            rows = rows.alias(names=written).filter(Q(cve_id__icontains=text) | Q(names__icontains=text))
        return rows

"""The filters of the list of vulnerabilities."""

from django import forms
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from access.http.jump import every
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column, by_number
from devices.models import Severity, Vulnerability

SEVERITIES = {severity.name.lower(): severity for severity in reversed(Severity)}
MOST_URGENT = ("-known_exploited", "-severity", "-device_count", "cve_id")


SORTS = {
    "cve": by_column("CVE", "cve_id", descending_first=True),
    "severity": by_number("Severity", "severity", "Lowest severity", "Highest severity"),
    "devices": by_number("Devices", "device_count", "Fewest devices", "Most devices"),
    "detected": by_number("First detected", "first_detected_at", "Detected first", "Detected last"),
}


class VulnerabilityFilter(ListFilter):
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

    sorts = SORTS
    default_label = "Most urgent"

    def matching(self) -> QuerySet[Vulnerability]:
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
        return rows.alias(names=Cast("software", TextField())).filter(every(self.search_words, "cve_id", "names"))

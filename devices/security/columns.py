"""The columns that filter the vulnerability lists, and those that sort them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import GreaterThan, IContains

from devices.filters import Column, Kind
from devices.models import Severity
from devices.models.lines import lines

NOTHING = Q(pk__in=())


@dataclass(frozen=True, slots=True)
class EmptyText(Column):
    """A text that is stored as an empty text if the API shows null."""

    def where(self, lookup: str, value: object) -> Q:
        if lookup != "isnull":
            return Column.where(self, lookup, value)
        return Q(**{self.path: ""}) if value else ~Q(**{self.path: ""})


@dataclass(frozen=True, slots=True)
class Word(Column):
    """A column with a few possible words, each of which means a condition."""

    words: Mapping[str, Q]

    def where(self, lookup: str, value: object) -> Q:
        match lookup, value:
            case "in", list():
                found = [self.words[word] for word in value if word in self.words]
            case "icontains", str():
                found = [condition for word, condition in self.words.items() if value.lower() in word.lower()]
            case _:
                return NOTHING if value else Q()  # the column is never null
        return reduce(or_, found, NOTHING)


@dataclass(frozen=True, slots=True)
class Words(Column):
    """A column with a LinesField. One of its words must equal the text, or contain it."""

    def where(self, lookup: str, value: object) -> Q:
        match lookup, value:
            case "in", list():
                # StrIndex finds the whole word with its case. SQLite's `contains` ignores case.
                found = (Q(GreaterThan(StrIndex(self.path, Value(lines([word]))), 0)) for word in value)
                return reduce(or_, found, NOTHING)
            case "icontains", str():
                return Q(IContains(Cast(self.path, TextField()), value))
            case _:
                return Q(**{self.path: []}) if value else ~Q(**{self.path: []})


STATUSES = {"Active": Q(device_count__gt=0), "Remediated": Q(device_count=0)}
SEVERITIES = {severity.label: severity for severity in Severity}
_SEVERITY = Word(Kind.TEXT, "severity", {label: Q(severity=value) for label, value in SEVERITIES.items()})

VULNERABILITIES: dict[str, Column] = {
    "cve_id": Column(Kind.TEXT, "cve_id"),
    "software": Words(Kind.TEXT, "software"),
    "severity": _SEVERITY,
    "first_detection_date": Column(Kind.DATE, "first_detected_at"),
    "status": Word(Kind.TEXT, "device_count", STATUSES),
}
# Ascending orders. `age` and `status` use descending columns: Active comes before Remediated, but has the larger count.
VULNERABILITY_ORDER = {
    "age": F("first_detected_at").desc(),
    "cve_id": F("cve_id").asc(),
    "cvss_score": F("cvss_score").asc(),
    "device_count": F("device_count").asc(),
    "known_exploit": F("known_exploited").asc(),
    "software": F("software").asc(),
    "severity": F("severity").asc(),
    "status": GreaterThan(F("device_count"), 0).desc(),
}

# Columns of a row of the detections: those of its device, its package and its vulnerability, and its own.
OF_DEVICE: dict[str, Column] = {
    "device_id": Column(Kind.UUID, "uuid"),
    "device_name": Column(Kind.TEXT, "name"),
    "device_serial_number": Column(Kind.TEXT, "serial_number"),
    "device_model": Column(Kind.TEXT, "model"),
    "device_os_version": Column(Kind.TEXT, "os_version"),
    "blueprint_id": Column(Kind.UUID, "blueprint__uuid"),
    "blueprint_name": Column(Kind.TEXT, "blueprint__name"),
}
OF_PACKAGE: dict[str, Column] = {
    "name": Column(Kind.TEXT, "name"),
    "version": Column(Kind.TEXT, "version"),
    "path": Column(Kind.TEXT, "path"),
    "bundle_id": EmptyText(Kind.TEXT, "bundle_id"),
}
OF_VULNERABILITY: dict[str, Column] = {
    "cve_id": Column(Kind.TEXT, "cve_id"),
    "cve_description": Column(Kind.TEXT, "description"),
    "description": Column(Kind.TEXT, "description"),
    "cve_link": Column(Kind.TEXT, "link"),
    "cvss_score": Column(Kind.NUMBER, "cvss_score"),
    "cve_published_at": Column(Kind.DATE, "published_at"),
    "cve_modified_at": Column(Kind.DATE, "modified_at"),
}
OF_DETECTION: dict[str, Column] = {
    "cvss_severity": _SEVERITY,
    "severity": _SEVERITY,
    "detection_datetime": Column(Kind.DATE, "first_detected_at"),
    "first_detection_date": Column(Kind.DATE, "first_detected_at"),
    "latest_detection_date": Column(Kind.DATE, "last_detected_at"),
}
DETECTIONS = OF_DEVICE | OF_PACKAGE | OF_VULNERABILITY | OF_DETECTION

# Columns of the lists of one vulnerability's devices and packages, as paths from its detections.
DEVICES: dict[str, Column] = {
    "name": Column(Kind.TEXT, "device__name"),
    "detection_datetime": Column(Kind.DATE, "first_detected_at"),
}
SOFTWARE: dict[str, Column] = {
    "blueprint_id": Column(Kind.UUID, "device__blueprint__uuid"),
    "detection_datetime": Column(Kind.DATE, "first_detected_at"),
}

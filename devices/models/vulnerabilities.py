"""Vulnerabilities of the tenant's software, and where they were detected."""

from django.db import models

from access.models import Tenant
from devices.models.devices import Device
from devices.models.lines import LinesField


class Severity(models.IntegerChoices):
    """A severity. The API uses its label. A higher number is worse."""

    UNDEFINED = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Vulnerability(models.Model):
    """A CVE that is or was detected on a device of the tenant.

    `devices.security` updates `device_count` (devices that have it now), `software` (names of the packages in which it
    was detected) and the two dates, so that a page of vulnerabilities does not read their detections.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="vulnerabilities", db_index=False)
    cve_id = models.CharField(max_length=64)
    severity = models.PositiveSmallIntegerField(choices=Severity, default=Severity.UNDEFINED)
    cvss_score = models.FloatField(default=0)
    known_exploited = models.BooleanField(default=False)  # listed in CISA's catalogue (KEV)
    epss_score = models.FloatField(default=0)
    link = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    modified_at = models.DateTimeField(null=True, blank=True)
    first_detected_at = models.DateTimeField()
    last_detected_at = models.DateTimeField()
    device_count = models.PositiveIntegerField(default=0)
    software = LinesField(default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "cve_id"], name="vulnerability_cve")]
        indexes = [
            models.Index(fields=["tenant", "severity", "device_count"], name="vulnerability_severity"),
            models.Index(fields=["tenant", "device_count"], name="vulnerability_devices"),
            models.Index(fields=["tenant", "first_detected_at"], name="vulnerability_detected"),
        ]
        verbose_name_plural = "vulnerabilities"

    def __str__(self) -> str:
        return self.cve_id

    @property
    def status(self) -> str:
        return "Active" if self.device_count else "Remediated"


class VulnerableSoftware(models.Model):
    """A version of a package at a path. Many devices have the same one, so a detection only refers to it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="vulnerable_software", db_index=False)
    # A digest of the identifying texts, which together are too long for an index of PostgreSQL.
    key = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=255, blank=True)
    path = models.CharField(max_length=1024, blank=True)
    bundle_id = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="vulnerable_software_key")]
        verbose_name_plural = "vulnerable software"

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class VulnerabilityDetection(models.Model):
    """A vulnerable package on a device. After it is gone, the row stays, with `remediated_at`."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="vulnerability_detections", db_index=False
    )
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="vulnerability_detections", db_index=False
    )
    vulnerability = models.ForeignKey(
        Vulnerability, on_delete=models.CASCADE, related_name="detections", db_index=False
    )
    software = models.ForeignKey(VulnerableSoftware, on_delete=models.CASCADE, related_name="detections")
    # A copy of the vulnerability's, so that an index finds the few rows of a rare severity among millions.
    severity = models.PositiveSmallIntegerField(choices=Severity)
    first_detected_at = models.DateTimeField()
    last_detected_at = models.DateTimeField()
    remediated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # Its index also finds the detections of one device.
            models.UniqueConstraint(fields=["device", "vulnerability", "software"], name="detection_once"),
        ]
        # The date of the first detection never changes, so paging in its order returns each row once.
        indexes = [
            models.Index(
                fields=["tenant", "first_detected_at", "id"],
                name="detection_list",
                condition=models.Q(remediated_at=None),
            ),
            models.Index(
                fields=["tenant", "severity", "first_detected_at", "id"],
                name="detection_severity",
                condition=models.Q(remediated_at=None),
            ),
            models.Index(
                fields=["tenant", "first_detected_at", "id"],
                name="detection_remediated",
                condition=models.Q(remediated_at__isnull=False),
            ),
            models.Index(fields=["vulnerability", "first_detected_at", "id"], name="detection_vulnerability"),
            # Integrations ask for the detections that were seen since their last call.
            models.Index(
                fields=["tenant", "last_detected_at"],
                name="detection_seen",
                condition=models.Q(remediated_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vulnerability_id} on {self.device_id}"

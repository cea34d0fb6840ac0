"""Threats that devices reported: files, and behavior of processes."""

import uuid

from django.db import models

from access.models import Tenant
from devices.models.devices import Device
from devices.models.lines import LinesField


class ThreatSeverity(models.IntegerChoices):
    """A severity. The API uses its name in lower case. A higher number is worse."""

    INFORMATIONAL = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class ManagementState(models.TextChoices):
    OPEN = "open"
    CLOSED = "closed"


class Reported(models.Model):
    """The columns of both kinds of threats. A threat stays when its device is deleted, with the device's id."""

    device_uuid = models.UUIDField()
    detected_at = models.DateTimeField()
    severity = models.PositiveSmallIntegerField(choices=ThreatSeverity, default=ThreatSeverity.MEDIUM)
    management_state = models.CharField(max_length=10, choices=ManagementState, default=ManagementState.OPEN)
    tags = LinesField(default=list, blank=True)
    # The Library's policy that found the threat.
    library_item_uuid = models.UUIDField(null=True, blank=True)
    library_item_name = models.CharField(max_length=255, blank=True)
    malware_posture = models.CharField(max_length=40, blank=True)

    class Meta:
        abstract = True


class Threat(Reported):
    """A file that was recognized as malware or as a potentially unwanted program (PUP)."""

    class Classification(models.TextChoices):
        MALWARE = "MALWARE", "Malware"
        PUP = "PUP", "Unwanted program"

    class Status(models.TextChoices):
        QUARANTINED = "QUARANTINED", "Quarantined"
        NOT_QUARANTINED = "NOT_QUARANTINED", "Not quarantined"
        RELEASED = "RELEASED", "Released"
        RESOLVED = "RESOLVED", "Resolved"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="threats", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="threats")
    # Rows of the first version have no id. This digest of the identifying columns finds them again.
    key = models.CharField(max_length=64, editable=False)
    identifier = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    classification = models.CharField(max_length=20, choices=Classification)
    status = models.CharField(max_length=20, choices=Status)
    process_name = models.CharField(max_length=255, blank=True)
    process_owner = models.CharField(max_length=255, blank=True)
    file_path = models.TextField(blank=True)
    file_hash = models.CharField(max_length=128, blank=True)
    bundle_path = models.TextField(blank=True)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=255, blank=True)
    release_note = models.TextField(blank=True)
    pup_posture = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="threat_key")]
        indexes = [
            models.Index(fields=["tenant", "detected_at", "id"], name="threat_list"),
            # A count for most filters needs only these columns, and no row is read.
            models.Index(
                fields=["tenant", "classification", "status", "detected_at", "severity", "management_state"],
                name="threat_classification",
            ),
            models.Index(fields=["tenant", "device_uuid", "detected_at"], name="threat_device"),
        ]

    def __str__(self) -> str:
        return self.name


class BehavioralDetection(Reported):
    """Behavior of a process that a rule recognized."""

    class Classification(models.TextChoices):
        MALICIOUS = "malicious"
        SUSPICIOUS = "suspicious"
        PUP = "pup", "Unwanted program"

    class Status(models.TextChoices):
        BLOCKED = "blocked"
        BLOCKED_PARENT = "blocked_parent", "Parent blocked"
        DETECTED = "detected"
        INFORMATIONAL = "informational"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="behavioral_detections", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="behavioral_detections")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    threat_id = models.CharField(max_length=64)
    rule_version = models.PositiveIntegerField(default=1)
    description = models.TextField(blank=True)
    classification = models.CharField(max_length=20, choices=Classification)
    status = models.CharField(max_length=20, choices=Status)
    informational_tags = LinesField(default=list, blank=True)
    malware_family = LinesField(default=list, blank=True)
    parent_name = models.CharField(max_length=255, blank=True)
    parent_image_path = models.TextField(blank=True)
    parent_sha256 = models.CharField(max_length=64, blank=True)
    parent_command_line = models.TextField(blank=True)
    parent_pid = models.PositiveIntegerField(default=0)
    parent_owner = models.CharField(max_length=255, blank=True)
    target_name = models.CharField(max_length=255, blank=True)
    target_image_path = models.TextField(blank=True)
    target_sha256 = models.CharField(max_length=64, blank=True)
    target_command_line = models.TextField(blank=True)
    target_pid = models.PositiveIntegerField(default=0)
    target_owner = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="behavioral_detection_uuid")]
        indexes = [
            models.Index(fields=["tenant", "detected_at", "id"], name="behavioral_list"),
            models.Index(
                fields=["tenant", "classification", "status", "detected_at", "severity", "management_state"],
                name="behavioral_classification",
            ),
            models.Index(fields=["tenant", "device_uuid", "detected_at"], name="behavioral_device"),
        ]

    def __str__(self) -> str:
        return self.threat_id

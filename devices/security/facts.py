"""A finding from any source, with only the columns that the source has."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

type Facts = dict[str, Any]  # values of a model's columns; only the columns that the source has


@dataclass(frozen=True, slots=True)
class Package:
    """A version of a package at a path."""

    name: str
    version: str = ""
    path: str = ""
    bundle_id: str = ""

    @property
    def key(self) -> str:
        return digest(self.name, self.version, self.path, self.bundle_id)


@dataclass(frozen=True, slots=True)
class VulnerabilityFound:
    cve_id: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class DetectionFound:
    """A vulnerable package on a device, with the source's facts about the vulnerability."""

    device_uuid: UUID
    vulnerability: VulnerabilityFound
    package: Package
    first_detected_at: datetime
    last_detected_at: datetime


@dataclass(frozen=True, slots=True)
class ThreatFound:
    """A threat. `facts` has at least the columns of IDENTITY, which identify a threat."""

    facts: Facts

    @property
    def key(self) -> str:
        return digest(*(str(self.facts[name]) for name in IDENTITY))


@dataclass(frozen=True, slots=True)
class BehaviorFound:
    uuid: UUID
    facts: Facts


type Finding = VulnerabilityFound | DetectionFound | ThreatFound | BehaviorFound

IDENTITY = ("device_uuid", "name", "file_path", "file_hash", "detected_at")


def assign(row: Model, facts: Facts) -> bool:
    """Set the attributes of the row. Returns whether one of them changed."""
    changes = {name: value for name, value in facts.items() if getattr(row, name) != value}
    for name, value in changes.items():
        setattr(row, name, value)
    return bool(changes)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()

"""Threats and vulnerabilities of the demo fleet, in the formats of the API. They match the apps on the devices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from access.audit.events import Actor
from access.models import Tenant
from devices.dates import spaced_zoneless, with_offset, zoneless, zulu
from devices.demo.library import fixed_id
from devices.demo.vulnerabilities import CVES, FILES, REMEDIATED, RULES, Cve, File, Rule
from devices.imports.findings import FindingsReport, import_findings
from devices.inventory.lists import apps
from devices.models import Device, Platform

POLICY = "Threat Protection"  # an item of the demo library
INFECTED, SUSPECTED = 0.08, 0.05  # shares of the Macs


def add_findings(*, tenant: Tenant, actor: Actor, limit: int) -> FindingsReport:
    """Import findings on up to `limit` devices. The same fleet always gets the same ones."""
    devices = tenant.devices.reported().select_related("user").exclude(last_check_in=None).order_by("pk")[:limit]
    return import_findings(tenant=tenant, rows=_rows(devices.iterator(chunk_size=200)), actor=actor)


def _rows(devices: Iterator[Device]) -> Iterator[tuple[str, dict[str, Any]]]:
    first = datetime.fromisoformat(REMEDIATED.published).replace(tzinfo=UTC) + timedelta(days=1)
    yield (
        "demo",
        {
            **_described(REMEDIATED),
            "first_detection_date": zulu(first),
            "latest_detection_date": zulu(first + timedelta(days=9)),
            "software": list(REMEDIATED.apps),
        },
    )
    detected = set()
    for device in devices:
        source = f"demo:{device.name}"
        for row in _detections(device):
            detected.add(row["cve_id"])
            yield source, row
        if device.platform == Platform.MAC:
            yield from ((source, row) for row in _threats(device))
    # The rows of detections do not say whether a vulnerability is exploited.
    yield from (("demo", _described(cve)) for cve in CVES if cve.id in detected)


def _described(cve: Cve) -> dict[str, Any]:
    published = datetime.fromisoformat(cve.published).replace(hour=15, tzinfo=UTC)
    return {
        "cve_id": cve.id,
        "severity": cve.severity,
        "cvss_score": cve.cvss_score,
        "kev_score": int(cve.exploited),
        "epss_score": cve.epss_score,
        "cve_link": cve.link,
        "description": cve.description,
        "cve_published_at": spaced_zoneless(published),
        "cve_modified_at": spaced_zoneless(published + timedelta(days=2)),
    }


def _detections(device: Device) -> Iterator[dict[str, Any]]:
    seen = _last_seen(device)
    random = _random(device, "vulnerabilities")
    for app in apps(device)["apps"]:
        name = app.get("app_name") or app.get("display_name")
        for cve in CVES:
            if name in cve.apps and device.platform in {Platform.MAC, Platform.WINDOWS}:
                first = seen - timedelta(days=random.randint(1, 20), seconds=random.randint(0, 86_399))
                yield {
                    **_described(cve),
                    "device_id": str(device.uuid),
                    "name": name,
                    "version": app["version"],
                    "path": app.get("path") or app.get("installed_path") or "",
                    "bundle_id": app.get("bundle_id") or None,
                    "first_detection_date": spaced_zoneless(max(first, device.first_enrollment)),
                    "latest_detection_date": spaced_zoneless(seen),
                }


def _threats(device: Device) -> Iterator[dict[str, Any]]:
    random = _random(device, "threats")
    account = device.user.email.partition("@")[0].partition(".")[0] if device.user else "admin"
    if random.random() < INFECTED:
        yield _file(device, random.choice(FILES), account, random)
    if random.random() < SUSPECTED:
        yield _behavior(device, random.choice(RULES), account, random)


def _file(device: Device, file: File, account: str, random: Random) -> dict[str, Any]:
    at = _last_seen(device) - timedelta(days=random.randint(0, 25), seconds=random.randint(0, 86_399))
    status = random.choices(("QUARANTINED", "NOT_QUARANTINED", "RESOLVED"), (80, 12, 8))[0]
    return {
        "id": str(fixed_id("threat", device.uuid)),
        "threat_name": file.name,
        "classification": file.classification,
        "status": status,
        "process_name": file.process,
        "process_owner": account,
        "device_id": str(device.uuid),
        "detection_date": zoneless(at),
        "date_of_quarantine": zoneless(at + timedelta(seconds=2)) if status == "QUARANTINED" else "",
        "file_path": file.path.format(account),
        "file_hash": (fixed_id("file", file.name).hex + fixed_id("file", file.path).hex)[:64],
        "library_item_name": POLICY,
        "library_item_id": str(fixed_id("library item", POLICY)),
        "malware_posture": "protect",
        "pup_posture": "detect",
        "severity": file.severity,
        "tags": list(file.tags),
        "management_state": "closed" if status == "RESOLVED" else "open",
    }


def _behavior(device: Device, rule: Rule, account: str, random: Random) -> dict[str, Any]:
    at = _last_seen(device) - timedelta(days=random.randint(0, 25), seconds=random.randint(0, 86_399))
    return {
        "id": str(fixed_id("behavior", device.uuid)).upper(),
        "threat_id": rule.id,
        "rule_version": rule.version,
        "description": rule.description,
        "classification": rule.classification,
        "informational_tags": list(rule.tags),
        "malware_family": list(rule.families),
        "detection_date": with_offset(at),
        "threat_status": "blocked" if rule.classification == "malicious" else "detected",
        "device_info": {"id": str(device.uuid)},
        "parent_process": _process(rule.parent, account, random),
        "target_process": _process(rule.target, account, random),
        "library_item": {
            "id": str(fixed_id("library item", POLICY)),
            "name": POLICY,
            "mal_posture_mode": "protect",
        },
        "severity": rule.severity,
        "tags": list(rule.tags[:1]),
        "management_state": random.choice(("open", "open", "closed")),
    }


def _process(process: tuple[str, str, str], account: str, random: Random) -> dict[str, Any]:
    name, image_path, command_line = process
    return {
        "name": name,
        "command_line": command_line,
        "image_path": image_path,
        "pid": random.randint(300, 60_000),
        "owner": account,
        "sha256": fixed_id("image", image_path).hex * 2,
    }


def _last_seen(device: Device) -> datetime:
    return device.last_check_in or device.last_enrollment


def _random(device: Device, purpose: str) -> Random:
    return Random(f"{purpose} {device.uuid}")  # noqa: S311 - reproducible findings

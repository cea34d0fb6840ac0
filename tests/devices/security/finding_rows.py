"""API rows of threats and vulnerabilities, with changes by the tests."""

from typing import Any

from devices.models import Device


def detection_row(device: Device, cve_id: str = "CVE-2026-1", **changes: Any) -> dict[str, Any]:
    """A row of `/vulnerability-management/detections`, with the keys of the live service."""
    return {
        "device_id": str(device.uuid),
        "device_name": device.name,
        "cve_id": cve_id,
        "name": "Firefox",
        "version": "144.0",
        "path": "/Applications/Firefox.app",
        "bundle_id": "org.mozilla.firefox",
        "description": "A crafted page is executed.",
        "cve_link": f"https://nvd.nist.gov/vuln/detail/{cve_id}",
        "cvss_score": 7.5,
        "severity": "High",
        "detection_datetime": "2026-11-01 10:00:00.000001",
        "latest_detection_date": "2026-11-03 10:00:00.000000",
        "cve_published_at": "2026-10-01 00:00:00.000000",
        "cve_modified_at": "2026-10-02 00:00:00.000000",
        **changes,
    }


def vulnerability_row(cve_id: str = "CVE-2026-1", **changes: Any) -> dict[str, Any]:
    """A row of `/vulnerability-management/vulnerabilities`."""
    return {
        "cve_id": cve_id,
        "severity": "High",
        "cvss_score": 7.5,
        "kev_score": 1,
        "cve_link": f"https://nvd.nist.gov/vuln/detail/{cve_id}",
        "first_detection_date": "2026-10-20T10:00:00.000000Z",
        "latest_detection_date": "2026-11-02T10:00:00.000000Z",
        "device_count": 900,
        "software": ["Firefox", "Thunderbird"],
        "status": "Active",
        **changes,
    }


def threat_row(device: Device, **changes: Any) -> dict[str, Any]:
    """A row of the first version of `/threat-details`."""
    return {
        "threat_name": "macOS.Adload.Gen",
        "classification": "MALWARE",
        "status": "QUARANTINED",
        "process_name": "bash",
        "process_owner": "ann",
        "device_name": device.name,
        "device_id": str(device.uuid),
        "detection_date": "2026-11-01T10:00:00.000000",
        "date_of_quarantine": "2026-11-01T10:00:02.000000",
        "date_of_release": "",
        "released_by": "",
        "release_note": "",
        "file_path": "/Users/ann/Downloads/Player.dmg",
        "file_hash": "ab" * 32,
        "bundle_path": "",
        "device_serial_number": None,
        "blueprint_id": None,
        "library_item_name": None,
        "malware_posture": "protect",
        **changes,
    }


def behavior_row(device: Device, id: str, **changes: Any) -> dict[str, Any]:
    """A row of the first version of `/behavioral-detections`."""
    process = {
        "name": "osascript",
        "command_line": "osascript -e …",
        "image_path": "/usr/bin/osascript",
        "pid": 812,
        "owner": "ann",
        "sha256": "cd" * 32,
    }
    return {
        "id": id.upper(),
        "threat_id": "KTI_BD_0163",
        "rule_version": 3,
        "description": "A script asks for the password.",
        "classification": "malicious",
        "informational_tags": ["credential_access", "exploit"],
        "malware_family": ["AtomicStealer"],
        "detection_date": "2026-11-01T10:00:00.000000+00:00",
        "threat_status": "detected",
        "device_info": {"id": str(device.uuid), "name": device.name, "serial_number": device.serial_number},
        "parent_process": {**process, "name": "Setup", "image_path": "/Volumes/Setup/Setup"},
        "target_process": process,
        "library_item": {"id": None, "name": "Threat Protection", "mal_posture_mode": "protect"},
        "blueprint": {"id": str(device.blueprint.uuid), "name": device.blueprint.name},
        **changes,
    }

"""Vulnerabilities in the browser: the list, the page of a vulnerability, and the *Security* page of a device."""

import pytest

from access.audit.events import Actor
from access.models import Role, Tenant
from devices.imports.findings import import_findings
from devices.models import Device
from tests.devices.pages.browsing import HTMX, XSS, SignIn, page, text
from tests.devices.security.finding_rows import behavior_row, detection_row, threat_row, vulnerability_row
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db
PAGE = "/vulnerabilities/"


@pytest.fixture
def found(tenant: Tenant, mac: Device) -> None:
    other = DeviceFactory.create(tenant=tenant, name="Bo's iMac")
    rows = [
        detection_row(mac, "CVE-2026-1", severity="Medium"),
        detection_row(other, "CVE-2026-1"),
        detection_row(mac, "CVE-2026-2", severity="Critical", name="Perl"),
        detection_row(mac, "CVE-2026-3", severity="Critical", cve_link="javascript:alert(1)", description=XSS),
        vulnerability_row("CVE-2026-1", severity="Medium", software=[]),
        vulnerability_row("CVE-2026-4", severity="High", kev_score=0, software=["Zlib"]),
        threat_row(mac, threat_name=XSS),
        behavior_row(mac, "98765000-0000-4000-8000-00000000000a"),
    ]
    import_findings(tenant=tenant, rows=enumerate(rows), actor=Actor.command("test"))


def shown(sign_in: SignIn, query: str = "") -> list[str]:
    response = sign_in(Role.AUDITOR).get(f"{PAGE}?{query}")
    return [row.cve_id[-1] for row in response.context["page"].object_list]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", "123"),  # exploited first, then by severity and devices
        ("severity=critical", "23"),
        ("severity=nonsense", ""),
        ("exploited=yes", "1"),
        ("status=remediated", "4"),
        ("status=all", "1234"),
        ("q=perl", "2"),
        ("q=cve-2026-3", "3"),
        ("q=zlib", ""),
        ("q=%25", ""),
    ],
)
def test_the_list(sign_in: SignIn, found: None, query: str, numbers: str) -> None:
    assert "".join(shown(sign_in, query)) == numbers


def test_the_bars_are_of_active_vulnerabilities(sign_in: SignIn, found: None) -> None:
    bars = sign_in(Role.AUDITOR).get(PAGE).context["bars"]
    assert [(row.bar.label, row.bar.count) for row in bars] == [
        ("Critical", 2),
        ("High", 0),
        ("Medium", 1),
        ("Low", 0),
    ]


def test_a_search_answers_htmx_with_the_rows(sign_in: SignIn, found: None) -> None:
    response = sign_in(Role.AUDITOR).get(f"{PAGE}?q=perl", headers={**HTMX, "HX-Target": "rows"})
    assert "<html" not in text(response)
    assert response["HX-Push-Url"] == f"{PAGE}?q=perl"


def test_the_page_of_one_names_its_software_and_devices(sign_in: SignIn, found: None, mac: Device) -> None:
    content = text(sign_in(Role.AUDITOR).get(f"{PAGE}CVE-2026-1/"))
    for part in ("Known to be exploited", "Firefox", "144.0 (2)", page("device-security", mac), "Bo&#x27;s iMac"):
        assert part in content
    assert "Remediated" in text(sign_in(Role.AUDITOR).get(f"{PAGE}CVE-2026-4/"))
    assert sign_in(Role.AUDITOR).get(f"{PAGE}CVE-2026-9/").status_code == 404


def test_a_link_from_outside_is_only_a_web_address(sign_in: SignIn, found: None) -> None:
    content = text(sign_in(Role.AUDITOR).get(f"{PAGE}CVE-2026-3/"))
    assert 'href="javascript:' not in content
    assert XSS not in content


def test_the_security_of_a_device(sign_in: SignIn, found: None, mac: Device) -> None:
    content = text(sign_in(Role.AUDITOR).get(page("device-security", mac)))
    for part in ("CVE-2026-1", "CVE-2026-2", "Quarantined", "A script asks for the password.", "osascript"):
        assert part in content
    assert XSS not in content
    empty = text(sign_in(Role.AUDITOR).get(page("device-security", DeviceFactory.create(tenant=mac.tenant))))
    assert "No threats were found" in empty
    assert "No vulnerable software was found" in empty


def test_no_vulnerabilities(sign_in: SignIn, tenant: Tenant) -> None:
    assert "No vulnerabilities" in text(sign_in(Role.AUDITOR).get(PAGE))

"""Overview: the first page after signing in. Every count is a link to the counted rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from access.pages.bars import Bar, DrawnBar, drawn
from access.pages.dialogs import DialogLink
from access.pages.guards import PageRequest, requires
from access.roles import Capability, may
from devices.fleet.statistics import FAILED_DAYS
from devices.fleet.summary import FleetCounts, fleet_counts
from devices.pages.device_frame import fleet_size
from devices.pages.forms.devices import PLATFORMS
from devices.pages.push_certificate import standing
from devices.pages.vulnerabilities import severity_bars

MOST_SYSTEMS = 8
SYSTEMS = {"Mac": "macOS", "iPhone": "iOS", "iPad": "iPadOS", "AppleTV": "tvOS"}
SPANS = {
    "day": "In the last 24 hours",
    "days": "1 to 7 days ago",
    "weeks": "8 to 30 days ago",
    "longer": "More than 30 days ago",
    "never": "Never",
}
ENCRYPTED = {"on": "FileVault on", "off": "FileVault off", "unknown": "Not reported"}
COMMANDS = {
    "waiting": "Devices with commands that wait",
    "failed": f"Devices with commands that failed in the last {FAILED_DAYS} days",
}
TOKENS = {
    "expired": ("Expired", "expiry=expired"),
    "soon": ("Expire within 14 days", "expiry=soon"),
    "unused": ("Unused for 90 days", "use=unused"),
    "none": ("No permissions", "permissions=none"),
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A card of bars. `noun` is the plural name of the counted objects."""

    title: str
    rows: list[DrawnBar]
    noun: str = "devices"
    url: str = ""


@requires(Capability.VIEW)
@require_GET
def overview(request: PageRequest) -> HttpResponse:
    devices = fleet_size(request)
    warned = {}
    if may(request.user, Capability.MANAGE_ACCESS) and (warning := standing(request.tenant).warning):
        warned = {"warning": warning, "link": DialogLink("Open", reverse("push-certificate"))}
    if not devices:
        return render(request, "devices/overview_page.html", {"steps": True, **_steps(request), **warned})
    tenant = request.tenant
    counts = fleet_counts(tenant, devices=devices)
    charts = [
        Chart("Platforms", _platforms(counts)),
        Chart("Operating systems", _systems(counts)),
        Chart("Last check-in", _check_ins(counts)),
        Chart("Encryption of Macs", _encryption(counts)),
    ]
    context = {
        "devices": devices,
        "counted_at": counts.counted_at,
        "charts": [chart for chart in charts if chart.rows],
        "vulnerabilities": Chart(
            "Vulnerabilities", severity_bars(tenant), "vulnerabilities", reverse("vulnerabilities")
        ),
        "exploited": tenant.vulnerabilities.filter(known_exploited=True, device_count__gt=0).count(),
        "commands": _commands(counts),
        "tokens": _tokens(request),
        **warned,
    }
    return render(request, "devices/overview_page.html", context)


def _steps(request: PageRequest) -> dict[str, object]:
    return {
        "any_blueprint": request.tenant.blueprints.exists(),
        "any_token": request.tenant.api_tokens.listed().exists(),
    }


def _link(**filters: str) -> str:
    return f"{reverse('devices')}?{urlencode(filters)}"


def _platforms(counts: FleetCounts) -> list[DrawnBar]:
    return _largest(
        Bar(label=PLATFORMS.get(platform, platform), count=count, href=_link(platform=platform))
        for platform, count in counts.platforms.items()
    )


def _systems(counts: FleetCounts) -> list[DrawnBar]:
    bars = _largest(
        Bar(
            label=f"{SYSTEMS.get(platform, platform)} {version}",
            count=count,
            href=_link(platform=platform, os=version),
        )
        for platform, version, count in counts.systems
        if version
    )
    return bars[:MOST_SYSTEMS]


def _check_ins(counts: FleetCounts) -> list[DrawnBar]:
    return drawn(
        Bar(label=label, count=counts.check_ins[name], href=_link(seen=name), tone=_tone(name))
        for name, label in SPANS.items()
    )


def _tone(span: str) -> str:
    return {"longer": "warning", "never": "muted"}.get(span, "")


def _encryption(counts: FleetCounts) -> list[DrawnBar]:
    tones = {"on": "success", "off": "danger", "unknown": "muted"}
    bars = [
        Bar(label=label, count=counts.encryption[name], href=_link(encryption=name), tone=tones[name])
        for name, label in ENCRYPTED.items()
    ]
    return drawn(bars) if any(bar.count for bar in bars) else []


def _commands(counts: FleetCounts) -> list[Bar]:
    return [
        Bar(label=label, count=counts.commands[name], href=_link(commands=name)) for name, label in COMMANDS.items()
    ]


def _tokens(request: PageRequest) -> list[Bar]:
    """The API tokens that need attention, for people who manage Access; empty if there are none."""
    if not may(request.user, Capability.MANAGE_ACCESS):
        return []
    counts = request.tenant.api_tokens.filter(revoked_at=None).needing_attention()
    return [
        Bar(label=label, count=counts[name], href=f"{reverse('tokens')}?{query}")
        for name, (label, query) in TOKENS.items()
        if counts[name]
    ]


def _largest(bars: Iterable[Bar]) -> list[DrawnBar]:
    return drawn(sorted(bars, key=lambda bar: (-bar.count, bar.label)))

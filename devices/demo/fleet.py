"""A believable generated fleet, for the quick start, tests and benchmarks."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.demo import data
from devices.demo.bulk import add_bulk_actions
from devices.demo.company import set_up_company
from devices.demo.details import demo_details
from devices.demo.enrollment import add_enrollment
from devices.demo.findings import add_findings
from devices.demo.history import add_history
from devices.demo.inventory import demo_lists
from devices.demo.prism import demo_reports
from devices.fleet.facts import FACTS
from devices.imports.devices import ImportReport, import_devices
from devices.models import Platform, User
from devices.models.prism.categories import CATEGORIES
from devices.prism.exports import request_export
from devices.prism.rows import store_rows

type Documents = tuple[dict[str, Any], dict[str, Any]]

_SHARES = {
    Platform.MAC: 55,
    Platform.IPHONE: 25,
    Platform.IPAD: 12,
    Platform.APPLE_TV: 3,
    Platform.WINDOWS: 3,
    Platform.ANDROID: 2,
}
_HARDWARE = {
    Platform.MAC: (data.MACS, data.MACOS),
    Platform.IPHONE: (data.IPHONES, data.IOS),
    Platform.IPAD: (data.IPADS, data.IOS),
    Platform.APPLE_TV: (data.APPLE_TVS, data.TVOS),
    Platform.WINDOWS: (data.WINDOWS_PCS, data.WINDOWS),
    Platform.ANDROID: (data.ANDROIDS, data.ANDROID),
}
_OTHER = {Platform.WINDOWS, Platform.ANDROID}
# Large fleets are for tests of size, so only the first devices are complete: the apps of 100,000 devices take 700 MB.
COMPLETE_DEVICES = 2000
_SERIAL_LETTERS = "0123456789CDFGHJKLMNPQRTVWXY"  # the characters of Apple's serial numbers


@dataclass(frozen=True, slots=True)
class Employee:
    """An employee of the demo company; `department` is a row of data.DEPARTMENTS."""

    id: str
    name: str
    given_name: str
    email: str
    department: tuple[str, str, str, tuple[str, ...]]
    job_title: str
    archived: bool


def demo_fleet(count: int = 300, seed: int = 1, now: datetime | None = None) -> Iterator[Documents]:
    """Yield (DEVICE record, DETAILS document) for each device, in the shapes of the API. Devices are generated lazily.

    The same `seed` and `now` give the same fleet; a smaller `count` gives the first devices of it.
    """
    fleet = _Fleet(seed, now or _this_minute())
    return (fleet.device() for _ in range(count))


def load_demo_fleet(
    *, tenant: Tenant, actor: Actor, count: int = 300, complete: int = COMPLETE_DEVICES, now: datetime | None = None
) -> ImportReport:
    """Import a demo fleet, and set up the tenant: departments and job titles of users, blueprints, library and routing.

    The first `complete` devices also have apps, library items, parameters, a history, findings and secrets. All
    others have only their records and details. Two tenants have the same fleet, with different ids.
    """
    fleet = _Fleet(1, now or _this_minute(), owner=tenant.subdomain)
    with transaction.atomic():
        report = import_devices(tenant=tenant, rows=_rows(fleet, count, complete), actor=actor)
        users = list(tenant.users.filter(uuid__in=fleet.employees))
        for user in users:
            employee = fleet.employees[user.uuid]
            user.department, user.job_title = employee.department[0], employee.job_title
        User.objects.bulk_update(users, ["department", "job_title"], batch_size=500)
        set_up_company(tenant=tenant, actor=actor)
        add_history(tenant=tenant, actor=actor, limit=complete)
        add_bulk_actions(tenant=tenant, now=fleet.now, limit=complete)
        add_enrollment(tenant=tenant, actor=actor, now=fleet.now, limit=complete)
        _add_prism_rows(tenant, complete)
        if not tenant.exports.exists():
            request_export(tenant=tenant, category="apps", actor=actor, device_families=["Mac"])
        add_findings(tenant=tenant, actor=actor, limit=complete)
    return report


def _add_prism_rows(tenant: Tenant, limit: int) -> None:
    devices = tenant.devices.filter(inventory__isnull=False).select_related("inventory").defer("record_json")
    reports = demo_reports(devices.order_by("pk")[:limit])
    for category in CATEGORIES:
        store_rows(tenant=tenant, category=category, reports=reports.get(category, {}))


def _this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def _rows(fleet: "_Fleet", count: int, complete: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(1, count + 1):
        record, details = fleet.device()
        lists = demo_lists(record) if number <= complete else ()
        for document in (record, details, *lists):
            yield f"demo:{number}", document


class _Fleet:
    def __init__(self, seed: int, now: datetime, owner: str = "") -> None:
        self.random = Random(seed)  # noqa: S311 - a reproducible fleet, without real secrets
        # Turns the ids of the fleet into those of its owner; everything else stays the same.
        self._owner = Random(owner).getrandbits(128) if owner else 0  # noqa: S311
        self.now = now
        self.employees: dict[UUID, Employee] = {}
        self._recent: list[Employee] = []  # the latest employees, who may get a second device
        self._addresses: dict[str, int] = {}
        self._blueprints = {name: self._uuid() for name in data.BLUEPRINTS}
        self._number = 0

    def device(self) -> Documents:
        random = self.random
        self._number += 1
        platform = random.choices(tuple(_SHARES), tuple(_SHARES.values()))[0]
        models, systems = _HARDWARE[platform]
        model = random.choice(models)
        # Most devices have one of the newest systems.
        system = systems[max(model.oldest, len(systems) - 1 - int(random.random() ** 2 * len(systems)))]
        shared = platform == Platform.APPLE_TV or (platform == Platform.IPAD and random.random() < 0.3)
        employee = None if shared or random.random() < 0.03 else self._employee(platform)
        blueprint = self._blueprint(platform, employee, shared=shared)
        # A fact that this list does not name is empty.
        facts: dict[str, Any] = dict.fromkeys((fact.key for fact in FACTS), "") | {
            "device_id": self._uuid(),
            "device_name": self._name(platform, model, employee),
            "model": model.name,
            "serial_number": self._serial_number(platform),
            "platform": platform.value,
            "os_version": system.version,
            "supplemental_build_version": system.build if platform not in _OTHER else "",
            "supplemental_os_version_extra": "",
            **self._dates(),
            "user": employee
            and {
                "email": employee.email,
                "name": employee.name,
                "id": employee.id,
                "is_archived": employee.archived,
            },
            "asset_tag": f"AH-{self._number:06}" if random.random() < 0.7 else "",
            "blueprint_id": self._blueprints[blueprint],
            "mdm_enabled": True,
            "agent_installed": platform in {Platform.MAC, Platform.WINDOWS},
            "is_removed": random.random() < 0.01,
            "agent_version": {Platform.MAC: "4.8.12 (7812)", Platform.WINDOWS: "1.9.3"}.get(platform, ""),
            "blueprint_name": blueprint,
            "lost_mode_status": "",
            "tags": self._tags(employee, shared=shared),
            "mac_address": self._mac_address(),
            "filevault_enabled": random.random() < 0.94 if platform == Platform.MAC else None,
            "api_level": system.build if platform == Platform.ANDROID else "",
            "security_patch_level": "2025-10-05" if platform == Platform.ANDROID else "",
            "full_software_version": f"{system.version}.{system.build}" if platform == Platform.WINDOWS else "",
            "build": system.build,
            "given_name": employee.given_name if employee else "",
        }
        record = {fact.key: fact.converter(facts[fact.key]) for fact in FACTS if fact.record != "none"}
        return record, demo_details(facts, model, random)

    def _dates(self) -> dict[str, Any]:
        random = self.random
        first = self.now - timedelta(days=random.randint(20, 560), seconds=random.randint(0, 86_399))
        last = first if random.random() < 0.85 else first + (self.now - first) * random.random() * 0.9
        roll = random.random()
        check_in: datetime | None = self.now - timedelta(seconds=int(random.expovariate(1 / 30_000)) + 60)
        if roll < 0.02:
            check_in = None  # enrolled, but never checked in
        elif roll < 0.07:
            check_in = self.now - timedelta(days=random.randint(31, 90), seconds=random.randint(0, 86_399))
        if check_in:
            check_in = max(check_in, last + timedelta(minutes=1)).replace(microsecond=random.randrange(1_000_000))
        return {
            "last_check_in": check_in,
            "first_enrollment": first,
            "last_enrollment": last,
            "is_missing": check_in is not None and self.now - check_in > timedelta(days=30),
        }

    def _employee(self, platform: Platform) -> Employee:
        # A phone often belongs to an employee who already has a computer.
        if self._recent and self.random.random() < (0.15 if platform == Platform.MAC else 0.7):
            return self.random.choice(self._recent)
        given, family = (self._spellings(self.random.choice(names)) for names in self.random.choice(data.PEOPLE))
        department = self.random.choice(data.DEPARTMENTS)
        employee = Employee(
            id=self._uuid(),
            name=f"{given[0]} {family[0]}",
            given_name=given[0],
            email=self._address(f"{given[1]}.{family[1]}"),
            department=department,
            job_title=self.random.choice(department[3]),
            archived=self.random.random() < 0.02,
        )
        self.employees[UUID(employee.id)] = employee
        self._recent = [*self._recent[-39:], employee]
        return employee

    @staticmethod
    def _spellings(name: str) -> tuple[str, str]:
        """Return a name, and its spelling in an e-mail address."""
        display, _, latin = name.partition("|")
        letters = unicodedata.normalize("NFKD", (latin or display).lower()).translate(data.LATIN)
        return display, letters.encode("ascii", "ignore").decode()

    def _address(self, local_part: str) -> str:
        number = self._addresses[local_part] = self._addresses.get(local_part, 0) + 1
        return f"{local_part}{number if number > 1 else ''}@{data.DOMAIN}"

    @staticmethod
    def _blueprint(platform: Platform, employee: Employee | None, *, shared: bool) -> str:
        if shared:
            return "Meeting Rooms & Kiosks"
        if platform in _OTHER:
            return "Windows & Android"
        if platform != Platform.MAC:
            return "Mobile Devices"
        return employee.department[1] if employee else "Company Macs"

    def _name(self, platform: Platform, model: data.Model, employee: Employee | None) -> str:
        if platform in _OTHER:
            return f"AH-{'WIN' if platform == Platform.WINDOWS else 'AND'}-{self._number:06}"
        kind = model.name.split(" (")[0] if platform == Platform.MAC else str(platform.label)
        if employee:
            return f"{employee.given_name}'s {kind}"
        return f"{self.random.choice(data.ROOMS)} {kind} {self._number}"

    def _tags(self, employee: Employee | None, *, shared: bool) -> list[str]:
        tags = {employee.department[2]} - {""} if employee else set()
        if shared:
            tags.add("Kiosk")
        elif employee is None:
            tags.add("Loaner")
        if self.random.random() < 0.06:
            tags.add("Beta testers")
        return sorted(tags)

    def _serial_number(self, platform: Platform) -> str:
        if platform == Platform.ANDROID:
            return f"{self.random.getrandbits(48):012X}"
        if platform == Platform.WINDOWS:
            return "".join(self.random.choices(_SERIAL_LETTERS, k=7)) + f"{self._number:05}"
        return self.random.choice("CDFGHJKLMNPQRTVWXY") + "".join(self.random.choices(_SERIAL_LETTERS, k=9))

    def _mac_address(self) -> str:
        tail = f"{self.random.getrandbits(24):06X}"
        return f"{self.random.choice(data.APPLE_MAC_PREFIXES)}:{tail[:2]}:{tail[2:4]}:{tail[4:]}"

    def _uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128) ^ self._owner, version=4))

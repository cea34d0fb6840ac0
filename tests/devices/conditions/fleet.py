"""A fleet of many different devices, random conditions, and what each condition means, written a second time."""

from collections.abc import Callable
from itertools import product

from hypothesis import strategies as st

from access.models import Tenant
from devices.conditions.attributes import ATTRIBUTES
from devices.conditions.conditions import Condition
from devices.models import Blueprint, Device, Enrollment, Platform, Tag
from tests.factories.devices import ENROLLED, DeviceFactory, TagFactory, UserFactory

FAMILIES = [Platform.MAC, Platform.IPHONE, Platform.IPAD, Platform.APPLE_TV]
OS_VERSIONS = ["", "9.3.6", "14.7", "15", "15.0.1", "15.10", "26.1"]
MODELS = ["MacBook Air (M2)", "Mac mini", "iPhone 15", "macbook pro", ""]
TAGS = ["Loaner", "Kiosk", "Pilot"]
DEPARTMENTS = ["Sales", "sales", "R&D", "", None]


def fleet(blueprint: Blueprint) -> list[Device]:
    """Each combination of tags, of users, of versions and of families is there, though not with each other."""
    tenant: Tenant = blueprint.tenant
    tags = [TagFactory.create(tenant=tenant, name=name) for name in TAGS]
    users = [
        UserFactory.create(tenant=tenant, department=department, job_title=title)
        for department, title in zip(DEPARTMENTS, ["Clerk", None, "Chief", "Clerk", ""], strict=True)
    ]
    sets = [[tag for tag, on in zip(tags, each, strict=True) if on] for each in product([True, False], repeat=3)]
    devices = [
        DeviceFactory.create(
            tenant=tenant,
            blueprint=blueprint,
            platform=FAMILIES[n % 4],
            os_version=OS_VERSIONS[n % 7],
            model=MODELS[n % 5],
            user=[*users, None][n % 6],
            serial_number=f"{'Ab' if n % 2 else 'aB'}{n}" if n else "",
            tags=sets[n % 8],
        )
        for n in range(16)
    ]
    for n, device in enumerate(devices):
        if n % 3:
            Enrollment.objects.create(
                tenant=tenant,
                device=device,
                udid=f"UDID-{n}",
                kind=Enrollment.Kind.ADE if n % 2 else Enrollment.Kind.MANUAL,
                state=Enrollment.State.OUT if n % 5 == 0 else Enrollment.State.ENROLLED,
                created_at=ENROLLED,
            )
    return devices


def conditions(tags: list[Tag]) -> st.SearchStrategy[Condition]:
    """Random valid conditions, and those with a tag that is deleted."""
    ids = [str(tag.uuid) for tag in tags] + ["00000000-0000-4000-8000-000000000000"]
    values: dict[str, list[str]] = {
        "family": [*FAMILIES],
        "os_version": ["0", "9.4", "15", "15.0.1", "15.9", "26"],
        "tag": ids,
        "department": ["Sales", "R&D", "Law"],
        "job_title": ["Clerk", "Chief", "clerk"],
        "model": ["MAC", "book", "(M2)", "_", "%"],
        "serial_number": ["AB1", "ab2", "aB10", "B1"],
    }

    def given(id: str, most: int) -> st.SearchStrategy[tuple[str, ...]]:
        if id not in values:
            return st.just(())
        some = st.lists(st.sampled_from(values[id]), min_size=1, max_size=min(3, most), unique=True)
        return some.map(tuple)

    builds: list[st.SearchStrategy[Condition]] = [
        st.builds(
            Condition,
            st.just(id),
            st.sampled_from([operator.id for operator in attribute.operators]),
            given(id, attribute.most),
        )
        for id, attribute in ATTRIBUTES.items()
    ]
    return st.one_of(builds)


def _version(text: str) -> list[int]:
    return [*map(int, text.split(".")), 0, 0, 0][:3]


MEANINGS: dict[str, Callable[[Device, tuple[str, ...]], bool]] = {
    "family": lambda device, values: device.platform in values,
    "os_version": lambda device, values: device.os_version != "" and _version(device.os_version) >= _version(values[0]),
    "tag": lambda device, values: any(str(tag.uuid) in values for tag in device.tags.all()),
    "assigned_user": lambda device, values: device.user is not None,
    "department": lambda device, values: device.user is not None and device.user.department in values,
    "job_title": lambda device, values: device.user is not None and device.user.job_title in values,
    "model": lambda device, values: any(value.lower() in device.model.lower() for value in values),
    "serial_number": lambda device, values: device.serial_number.upper() in {value.upper() for value in values},
    "ade": lambda device, values: device.enrollments.filter(kind="ade", state="enrolled").exists(),
}


def means(condition: Condition, device: Device) -> bool:
    first, _ = ATTRIBUTES[condition.attribute].operators
    return MEANINGS[condition.attribute](device, condition.values) == (condition.operator == first.id)

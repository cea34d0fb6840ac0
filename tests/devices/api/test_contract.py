"""Every operation, called on the demo fleet, against the shape that the contract gives its response.

Generated: a new operation that the contract knows is called here without being named. What it needs for its path comes
from the fleet (reads) or from the factories (writes).
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from access.audit.events import Actor
from access.models import Tenant
from devices.api import api as declared
from devices.api.operations import ade
from devices.api.routing import Operation
from devices.demo.fleet import demo_fleet, load_demo_fleet
from devices.models import Device, Platform
from tests.contract import OPERATIONS
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION, LIBRARY
from tests.devices.api.shapes import Mismatch, mismatches
from tests.factories.access import ApiTokenFactory, TenantFactory
from tests.factories.devices import PushCertificateFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

DEVICES = 120  # among which are all families, people without a device, devices never seen, and two in lost mode
COVERED = [operation for operation in declared.operations if operation.id in OPERATIONS]
READS = [operation for operation in COVERED if operation.method == "GET"]
WRITES = [operation for operation in COVERED if operation.method != "GET"]


class Deviation(NamedTuple):
    """A place where we answer otherwise than the contract, on purpose. The patterns match as a whole."""

    operations: str
    path: str
    values: tuple[Any, ...]  # what may stand there: values, or types
    reason: str

    def covers(self, operation: str, mismatch: Mismatch) -> bool:
        if not (re.fullmatch(self.operations, operation) and re.fullmatch(self.path, mismatch.path)):
            return False
        return any(
            isinstance(mismatch.value, value)
            if isinstance(value, type)
            else mismatch.value == value and type(mismatch.value) is type(value)
            for value in self.values
        )


STATUS = "the status"  # stands in place of a path where an answer has another status than the contract's
DEVICE_RECORDS = "list_devices|get_device|update_device"
DEVIATIONS = (
    Deviation(
        DEVICE_RECORDS,
        r"(\[\]\.)?last_check_in",
        (None,),
        'null rather than "" for a device that was never seen: two published clients fail on "", and all take null',
    ),
    Deviation(
        "get_device_details",
        r"(mdm|kandji_agent)\.last_check_in(_datetime)?",
        ("", None),
        "never seen: empty as everywhere else in the details",
    ),
    Deviation(
        "get_device_details",
        "cellular|apple_business_manager",
        ({},),
        "{} when empty, as the contract says beside the shape",
    ),
    Deviation(
        "get_device_details",
        r"general\.(assigned_user|asset_tag)",
        (dict, str, None),
        "seen in one state only, per family; the contract says beside the shape what the others are",
    ),
    Deviation(
        "get_device_details",
        r"recovery_information\.password_has_been_set",
        (bool,),
        "the shape of a device in lost mode lacks it, that of the same device out of lost mode has it",
    ),
    Deviation(
        "get_device_status",
        r"library_items\[\]\.reported_at",
        (None,),
        "an item that the device has not reported on; the library items show null there, too",
    ),
    Deviation(
        "get_device_library_items",
        r"library_items\[\]\.reported_at",
        (str,),
        "only ever seen null there; the status, which shows the same rows, has the moment",
    ),
    Deviation(
        "get_library_item_statuses",
        r"results\[\]\.(last_audit_(run|log)|control_(log|reported_at))",
        (str,),
        "only ever seen null there; the library items of a device, which show the same rows, have values",
    ),
    Deviation(
        "list_users|get_user",
        r"(results\[\]\.)?integration\.id",
        (None,),
        "only an imported integration has a number: a published client refuses integers, and all take null",
    ),
    Deviation(
        "get_manual_enrollment_profile",
        STATUS,
        (400,),
        "an inactive code enrolls no device, so a profile with it would fail on the device that installs it",
    ),
    Deviation("list_audit_events", r"results\[\]\.actor_id", ("",), "a management command has no signed-in person"),
    Deviation("list_audit_events", r"results\[\]\.target_id", (str,), "a tenant is known by a number, not by a UUID"),
    Deviation(
        "(list|get|update)_ade_.*",
        r"(results\[\]\.)?(profile_assign_time|assignment_status_received_at)",
        (None,),
        "a device to which no profile was ever assigned",
    ),
    Deviation(
        "prism_(request|get)_export", "row_count", (int, None), "ours: how many rows the file has, once there is one"
    ),
    Deviation(
        "prism_device_information",
        r"data\[\]\.lost_mode_status",
        ("enabled",),
        "the contract only knows it as null, of devices that are not in lost mode",
    ),
    Deviation(
        "prism_kernel_extensions",
        r"data\[\]\.(path|identifier|name|version|team_id|is_loaded)",
        (str, bool, None),
        "the public API has shown no row, so that these columns are ours",
    ),
    Deviation("update_blueprint", "type", (str,), "the contract says that sending it is safe"),
    Deviation(
        "create_blueprint", "(missing_)?computers_count", (int,), "one shape for all answers that show a blueprint"
    ),
)


class Answer(NamedTuple):
    """A response, and the device that it is about if it is about one."""

    response: Response
    device: Device | None


@pytest.fixture(scope="module")
def loaded_fleet(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Tenant]:
    """The demo fleet, loaded once: the transaction of each test is a savepoint of this one."""
    around = transaction.atomic()
    with django_db_blocker.unblock():
        around.__enter__()
        tenant = TenantFactory.create(name="Demo", subdomain="demo")
        load_demo_fleet(tenant=tenant, actor=Actor.command("test"), count=DEVICES)
        tenant.blueprints.filter(pk=tenant.blueprints.latest("pk").pk).update(enrollment_code_active=False)
    yield tenant
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


@pytest.fixture
def fleet(loaded_fleet: Tenant, db: None) -> Tenant:
    tenant = Tenant.objects.get(pk=loaded_fleet.pk)
    PushCertificateFactory.create(tenant=tenant)  # no profile enrolls a device without one
    return tenant


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*EVERY_PERMISSION)


def paths(operation: Operation, tenant: Tenant) -> Iterator[tuple[dict[str, Any], Device | None]]:
    """Values for the parameters of the path, one set after the other, from what the fleet has."""
    devices = tenant.devices.order_by("pk")
    match tuple(examples.parameters(operation)):
        case ():
            yield {}, None
        case ("device_id",) if operation.path.startswith(f"{ade.router.prefix}/"):
            for uuid in tenant.ade_devices.order_by("-pk").values_list("uuid", flat=True)[:50]:
                yield {"device_id": uuid}, None
        case ("device_id",):
            lost = operation.id == "get_device_lost_mode"
            for device in devices.filter(lost_mode__isnull=False) if lost else devices:
                yield {"device_id": device.uuid}, device
        case ("device_id", "note_id"):
            for note in tenant.device_notes.select_related("device").order_by("pk"):
                yield {"device_id": note.device.uuid, "note_id": note.uuid}, note.device
        case ("library_item_id",):
            kind = operation.path.split("/")[4]
            items = tenant.library_items.order_by("pk")
            if kind in LIBRARY:
                items = items.exclude(**{LIBRARY[kind]: None})
            for uuid in items.values_list("uuid", flat=True):
                yield {"library_item_id": uuid}, None
        case ("pending_upload_id",):
            for uuid in tenant.files.filter(purpose="ipa_apps").values_list("uuid", flat=True):
                yield {"pending_upload_id": uuid}, None
        case ("ade_token_id",):
            for uuid in tenant.ade_integrations.order_by("pk").values_list("uuid", flat=True):
                yield {"ade_token_id": uuid}, None
        case ("cve_id",):
            for cve_id in tenant.vulnerabilities.order_by("pk").values_list("cve_id", flat=True):
                yield {"cve_id": cve_id}, None
        case (parameter,):
            related = getattr(tenant, f"{parameter.removesuffix('_id')}s")
            for uuid in related.order_by("pk").values_list("uuid", flat=True)[:50]:
                yield {parameter: uuid}, None
        case parameters:
            raise AssertionError(f"{operation.id}: say here where {parameters} come from")


def shape_of(operation: str, device: Device | None) -> Any:
    """The shape of the operation's answer about this device."""
    shape = OPERATIONS[operation]["response_shape"]
    variants = shape.get("$variants") if isinstance(shape, dict) else None
    if variants is None:
        return shape
    if device is None:
        return variants["default"]
    mac = device.platform == Platform.MAC
    if "macOS" in variants:
        return variants["macOS" if mac else "other platforms"]
    if device.lost_mode_status and "iPhone/iPad in lost mode" in variants:
        return variants["iPhone/iPad in lost mode"]
    # What is written about iPads holds for iPhones, and for an Apple TV where nothing else is written.
    return variants.get(device.platform, variants["iPad"])


def differences(operation: str, answer: Answer) -> Iterator[Mismatch]:
    status = answer.response.status_code
    if status != OPERATIONS[operation]["success"]:
        yield Mismatch(STATUS, status, f"is {status}: {answer.response.content!r}")
        return
    shape = shape_of(operation, answer.device)
    if shape is None:
        if answer.response.content:
            yield Mismatch("", answer.response.content, f"{answer.response.content!r} is not empty")
        return
    if isinstance(shape, str) and shape.startswith("raw .mobileconfig"):
        if answer.response.headers["Content-Type"] != "application/x-apple-aspen-config":
            yield Mismatch("", None, "is no profile")
        return
    if isinstance(shape, str) and shape.startswith("PEM text"):
        pem = answer.response.content.startswith(b"-----BEGIN CERTIFICATE-----")
        if not pem or answer.response.headers["Content-Type"] != "application/x-x509-ca-cert":
            yield Mismatch("", None, "is no certificate")
        return
    document = answer.response.json()
    yield from mismatches(document, shape)
    if operation == "get_device_activity":
        for row in document["activity"]["results"]:
            details = shape["$details_by_action_type"][row["action_type"]]
            yield from mismatches(row["details"], details, f"activity.results[].details<{row['action_type']}>")


def unexpected(operation: str, answer: Answer) -> list[str]:
    about = f" ({answer.device.platform} {answer.device.uuid})" if answer.device else ""
    return [
        f"{mismatch}{about}"
        for mismatch in differences(operation, answer)
        if not any(deviation.covers(operation, mismatch) for deviation in DEVIATIONS)
    ]


@pytest.mark.parametrize("operation", READS, ids=lambda operation: operation.id)
def test_reading_the_demo_fleet(operation: Operation, api: Call, fleet: Tenant) -> None:
    token = ApiTokenFactory.create(tenant=fleet, permissions=EVERY_PERMISSION)
    answers = [
        Answer(api(operation.method, examples.path(operation, values), token), device)
        for values, device in paths(operation, fleet)
    ]
    assert answers, "the demo fleet has nothing to show here"
    assert 200 in {answer.response.status_code for answer in answers}
    assert sorted({text for answer in answers for text in unexpected(operation.id, answer)})[:30] == []


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.id)
def test_writing(operation: Operation, api: Call, tenant: Tenant, token: IssuedApiToken) -> None:
    values = examples.objects(operation, tenant)
    device = tenant.devices.filter(uuid=values["device_id"]).first() if "device_id" in values else None
    response = api(operation.method, examples.path(operation, values), token, json=examples.body(operation))
    assert response.status_code == OPERATIONS[operation.id]["success"], response.content
    assert unexpected(operation.id, Answer(response, device)) == []


def test_the_demo_fleet_has_every_shape_variant(fleet: Tenant) -> None:
    devices = fleet.devices.all()
    assert set(devices.values_list("platform", flat=True)) == set(Platform.values)
    assert devices.filter(user=None).exists()
    assert devices.filter(last_check_in=None).exists()
    assert devices.exclude(lost_mode_status="").count() == 2


def test_shapes_are_told_apart() -> None:
    shapes = OPERATIONS["get_device_details"]["response_shape"]["$variants"]
    mac = next(document for record, document in demo_fleet(50) if record["platform"] == "Mac" and record["user"])
    assert list(mismatches(mac, shapes["Mac"])) == []
    assert list(mismatches(mac, shapes["iPad"]))
    for changed, problem in (
        ({**mac, "more": 1}, "more: is not in the contract"),
        ({**mac, "volumes": {}}, "volumes: {} is no list"),
        ({**mac, "mdm": {**mac["mdm"], "mdm_enabled": True}}, 'mdm.mdm_enabled: True is not string "True"|"False"'),
        (
            {**mac, "mdm": {**mac["mdm"], "install_date": "2026-11-01"}},
            "mdm.install_date: '2026-11-01' is not datetime",
        ),
        ({name: part for name, part in mac.items() if name != "tags"}, "tags: is missing"),
    ):
        (mismatch,) = mismatches(changed, shapes["Mac"])
        assert str(mismatch).startswith(problem)


@pytest.mark.sqlite_only  # the tests above find on each database the deviations that are missing
def test_every_deviation_is_needed(api: Call, fleet: Tenant) -> None:
    token = ApiTokenFactory.create(tenant=fleet, permissions=EVERY_PERMISSION)
    found = [
        (operation.id, mismatch)
        for operation in READS
        for values, device in paths(operation, fleet)
        for mismatch in differences(
            operation.id, Answer(api(operation.method, examples.path(operation, values), token), device)
        )
    ]
    writes = {operation.id for operation in WRITES}
    unused = [
        deviation
        for deviation in DEVIATIONS
        if deviation.operations not in writes and not any(deviation.covers(*each) for each in found)
    ]
    assert unused == []

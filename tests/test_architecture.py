"""What the architecture promises and a reviewer would miss, read from the sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

pytestmark = pytest.mark.sqlite_only  # about sources, which are the same on both

ROOT = Path(__file__).parents[1]
# An app may import those after it, and never back.
PROJECT = ["iru", "devices", "access"]
# The floors of each app, top first. A package or module may import those below it, and no neighbour on its own floor.
# Packages that are not there yet are named where they will stand.
FLOORS: dict[str, list[set[str]]] = {
    "access": [
        {"urls", "apps", "admin", "management", "templatetags"},
        {"pages"},
        {"http"},
        {"installation"},
        {"people", "maintenance"},
        {"sign_in", "tokens"},
        {"webhooks"},
        {"audit", "notices"},
        {"attempts"},
        {"tasks", "roles", "replica", "sealing"},
        {"models", "presets"},
        {"smtp"},
        {"outgoing"},
        {"permissions", "addresses", "compiled", "limits", "checks", "keyrings", "kinds", "labels", "logs", "refusals"},
        {"tracing", "csv", "database", "disk", "retention", "schema", "sql", "sqlite3", "keys_first", "search"},
        {"postgresql", "context", "metrics", "patience"},
    ],
    "devices": [
        {"urls", "apps", "management", "templatetags", "admin"},
        {"pages", "mcp", "demo"},
        {"api", "imports", "mdm"},
        {"files"},
        {"blueprints", "security", "bulk"},
        {"commands"},
        {"library"},
        {"declarations"},
        {"inventory"},
        {"fleet"},
        {"conditions"},
        {"enrollment", "prism"},
        {"storage"},
        {"models", "filters", "inputs", "references"},
        {"wire"},
        {"dates", "text", "retries", "presets", "statements", "versions"},
    ],
}
LONGEST = 400  # lines: past that, a file is usually two subjects

# Where a query on a tenant's model may begin without its tenant, and why that is right.
UNSCOPED = {
    "access/management/commands/api_token.py": {"ApiToken": "`keys` counts for the operator, across tenants"},
    "access/installation/state.py": {"ApiToken": "counts for the operators, across tenants"},
    "access/installation/measures.py": {
        "ApiToken": "counts for the operators, across tenants",
        "Webhook": "the same",
    },
    "devices/fleet/size.py": {"Fleet": "counts for the operators, across tenants"},
    "access/maintenance/keys.py": {
        "ApiToken": "counts for the operator, across tenants",
        "AuditAnchor": "the same",
        "AuditEvent": "the same",
        "AuditHead": "the same",
    },
    "access/maintenance/rotation.py": {"AuditHead": "a new key is for the trails of every tenant"},
    "access/maintenance/tenant_deletion.py": {
        "Administrator": "works on the primary keys that were found in the tenant"
    },
    "access/maintenance/checks/database.py": {"AuditEvent": "compares the clock with the newest event of all"},
    "access/maintenance/manifest.py": {"AuditHead": "a backup has the trails of every tenant"},
    "access/sign_in/attempts.py": {"Administrator": "the typed name says whose it is; it is unique across tenants"},
    "access/sign_in/authenticators.py": {"Administrator": "locks the person that its caller found"},
    "access/sign_in/passwords.py": {"Administrator": "locks the person that its caller found"},
    "access/people/invitations.py": {"Administrator": "the signed link says who it is; the tenant follows from it"},
    "access/people/operators.py": {"Administrator": "makes an operator, who has no tenant"},
    "access/management/commands/changepassword.py": {"Administrator": "the address says who it is; it is unique"},
    "access/management/commands/invite.py": {
        "Administrator": "the address says who it is; it is unique across tenants"
    },
    "access/management/commands/reset_mfa.py": {"Administrator": "the address says who it is; it is unique"},
    "access/sign_in/providers.py": {"IdentityProvider": "a new key is for the secrets of every tenant"},
    "access/pages/sso.py": {"IdentityProvider": "the address names the tenant; nobody has signed in yet"},
    "access/pages/session.py": {"IdentityProvider": "the sign-in page is before any tenant"},
    "access/sign_in/backend.py": {"Administrator": "the session says who it is; the tenant follows from it"},
    "access/sign_in/mail.py": {"Administrator": "the address says who it is; it is unique across tenants"},
    "access/tokens/leaks.py": {"ApiToken": "a secret was found; it says whose it is, and is unique across tenants"},
    "access/tokens/reminders.py": {"ApiToken": "reminds of the tokens of every tenant"},
    "access/tokens/rotation.py": {"ApiToken": "ends the overlap of a token that was found alive, by its primary key"},
    "access/notices/mail.py": {"OwnerNotice": "sends again and deletes what is over, of every tenant"},
    "access/tokens/networks.py": {"ApiToken": "asks by the primary key of a token that was found alive"},
    "access/webhooks/delivery.py": {"Webhook": "a task names one by its primary key, or sends those of every tenant"},
    "access/webhooks/lifecycle.py": {"Webhook": "an opened form is unique across tenants, and compared with its own"},
    "access/webhooks/signing.py": {"Webhook": "a new key is for the secrets of every tenant"},
    "access/tokens/usage.py": {"ApiToken": "writes by the primary keys of tokens that were found alive"},
    "devices/management/commands/check_records.py": {"Device": "proves the records of every tenant"},
    "devices/management/commands/quickstart.py": {"Administrator": "makes the operator, who has no tenant"},
    "devices/api/idempotency.py": {"IdempotentCall": "forgets calls by their age alone"},
    "devices/imports/devices.py": {"Fleet": "counts in the row that the tenant's fleet was just read from"},
    "devices/files/downloads.py": {"StoredFile": "the signed key says whose it is; it is unique across tenants"},
    "devices/files/uploads.py": {"StoredFile": "the signed key says whose it is; it is unique across tenants"},
    "devices/storage/arrivals.py": {"StoredFile": "a signature or a reservation names the key; it is unique"},
    "devices/storage/checks.py": {"StoredFile": "works on the primary key that its task was enqueued with"},
    "devices/storage/files.py": {"StoredFile": "deletes the files of rows that were found in their tenant"},
    "devices/storage/upkeep.py": {"StoredFile": "deletes what is over, of every tenant"},
    "devices/bulk/bodies.py": {"BulkAction": "a new key is for the bodies of every tenant"},
    "devices/bulk/worker.py": {"BulkAction": "a task names one by its primary key, and tending is for every tenant"},
    "devices/enrollment/ade.py": {"AdeDevice": "counts those of integrations that its caller found in the tenant"},
    "devices/enrollment/ade_keys.py": {
        "AdeKeyPair": "a new key is for the key pairs of every tenant",
        "AdeIntegration": "and for their server tokens",
    },
    "devices/enrollment/authorities.py": {"MdmAuthority": "a new key is for the keys of every tenant"},
    "devices/enrollment/push_reminders.py": {"PushCertificate": "the schedule reminds of those of every tenant"},
    "devices/enrollment/links.py": {
        "Blueprint": "the key, or the code with its organization, says whose it is; nobody has signed in",
        "BlueprintRouting": "the same",
    },
    "devices/library/desired/changes.py": {
        "Enrollment": "of the Blueprints and devices that its caller found in their tenant"
    },
    "devices/library/package_reading.py": {
        "StoredFile": "the schedule reads the packages of every tenant",
        "LibraryItem": "works on the primary keys of the apps with them",
    },
    "devices/mdm/rollout.py": {"Enrollment": "the schedule wakes the devices of every tenant"},
    "devices/enrollment/enrollments.py": {"Enrollment": "wakes the devices that its caller found in their tenant"},
    "devices/enrollment/push_certificates.py": {"PushCertificate": "a new key is for the keys of every tenant"},
    "devices/mdm/push/loop.py": {"Enrollment": "wakes the devices of every tenant"},
    "devices/mdm/upkeep.py": {
        "Device": "locks the device of an enrollment that it found",
        "DeviceCertificate": "renews those of every tenant",
        "Enrollment": "the clean-up is for every tenant",
        "UsedTicket": "forgets tickets by their age alone",
    },
    "devices/mdm/daily.py": {
        "Enrollment": "the schedule asks the devices of every tenant",
        "Device": "and locks each by its primary key",
    },
    "devices/mdm/setup.py": {
        "Enrollment": "the schedule lets the devices of every tenant go",
        "Device": "and locks each by its primary key",
        "DeviceCommand": "asks for the commands of the enrollments' own devices",
    },
    "devices/mdm/identity.py": {"DeviceCertificate": "the host names the tenant, and the query joins it"},
    "devices/enrollment/expiries.py": {
        "AdeKeyPair": "lists for the operator, across tenants",
        "AdeIntegration": "and its server tokens",
        "PushCertificate": "and those for pushes",
        "MdmAuthority": "and those that it made itself",
    },
    "devices/enrollment/ade_lease.py": {"AdeIntegration": "a task names the one that it syncs; the tenant follows"},
    "devices/enrollment/ade_sync.py": {"AdeIntegration": "the schedule has those of every tenant synced"},
    "devices/prism/exports.py": {
        "PrismExport": "a task names one by its primary key, and the clean-up is for every tenant",
        "StoredFile": "the clean-up has their files deleted",
    },
    "devices/fleet/activity.py": {"DeviceActivity": "the clean-up is for every tenant"},
    "devices/library/items.py": {"LibraryActivity": "the clean-up is for every tenant"},
    "devices/enrollment/routing.py": {"RoutingActivity": "the clean-up is for every tenant"},
    "devices/fleet/secrets.py": {"DeviceSecret": "a new key is for the secrets of every tenant"},
    "devices/fleet/contact.py": {"Device": "copies by the primary keys of devices that were in contact"},
    "devices/fleet/records.py": {"Device": "works on the primary keys that its callers found in their tenant"},
}
# They store objects that already carry their tenant.
STORING = {"bulk_create", "bulk_update"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(app: str, package: str) -> int | None:
    return next((number for number, packages in enumerate(FLOORS[app]) if package in packages), None)


def packages(app: str) -> set[str]:
    """The packages and modules directly in an app."""
    folders = {path.parent.name for path in (ROOT / app).glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / app).glob("*.py")}
    return (folders | modules) - {"__init__", "migrations"}


def forbidden(here: str, there: str) -> str | None:
    """Why the module with the dotted name `here` may not import `there`; None where it may."""
    mine, other = here.split("."), there.split(".")
    if other[0] not in PROJECT:
        return None
    if mine[0] != other[0]:
        back = PROJECT.index(other[0]) < PROJECT.index(mine[0])
        return f"{mine[0]} is below {other[0]}" if back else None
    if mine[0] not in FLOORS or len(mine) < 2 or len(other) < 2 or mine[1] == other[1]:
        return None
    upper, lower = floor(mine[0], mine[1]), floor(other[0], other[1])
    if upper is None or lower is None or upper < lower:
        return None
    return f"{mine[1]} and {other[1]} are neighbours" if upper == lower else f"{mine[1]} is below {other[1]}"


def test_imports_only_go_down() -> None:
    wrong = [
        f"{relative(path)} imports {name}: {reason}"
        for path in modules(*PROJECT)
        for name in imports(path)
        if (reason := forbidden(relative(path).removesuffix(".py").replace("/", "."), name))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("app", FLOORS)
def test_every_package_stands_on_one_floor(app: str) -> None:
    named = [package for packages in FLOORS[app] for package in packages]
    assert len(named) == len(set(named))
    assert packages(app) <= set(named)


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        ("devices.fleet.tags", "devices.models", None),
        ("devices.fleet.tags", "devices.fleet.records.refresh", None),
        ("devices.fleet.tags", "access.audit.events", None),
        ("devices.fleet.tags", "django.db", None),
        ("devices.fleet.tags", "devices.api.errors", "fleet is below api"),
        ("devices.imports.rows", "devices.api.errors", "imports and api are neighbours"),
        ("access.tokens.usage", "devices.models", "access is below devices"),
        ("access.tokens.usage", "access.sign_in.mail", "tokens and sign_in are neighbours"),
    ],
)
def test_the_import_rule_finds_forbidden_imports(here: str, there: str, reason: str | None) -> None:
    assert forbidden(here, there) == reason


def test_modules_stay_short() -> None:
    long = {relative(path): n for path in modules(*PROJECT) if (n := len(path.read_text().splitlines())) > LONGEST}
    assert not long


def test_a_schema_is_called_like_the_operations_that_use_it() -> None:
    schemas, operations = ({path.stem for path in modules(f"devices/api/{name}")} for name in ("schemas", "operations"))
    # The filters of a large list may have a file of their own, beside the schemas of its answers.
    assert {name.removesuffix("_filters") for name in schemas} <= operations


def unscoped(path: Path, tenant_models: set[str]) -> Iterator[tuple[str, int]]:
    """(model, line) of each query that begins at `Model.objects` and names no tenant."""
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager", "_base_manager"}):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id in tenant_models):
            continue
        model, scoped, here = node.value.id, False, parents.get(node)
        while isinstance(here, ast.Attribute | ast.Call):
            if isinstance(here, ast.Attribute):
                scoped = scoped or here.attr in STORING
            else:
                scoped = scoped or any(word.arg in {"tenant", "tenant_id"} for word in here.keywords)
            here = parents.get(here)
        if not scoped:
            yield model, node.lineno


def test_queries_on_a_tenants_data_begin_at_the_tenant() -> None:
    tenant_models = {
        model.__name__
        for model in apps.get_models()
        if model._meta.app_label in PROJECT and any(field.name == "tenant" for field in model._meta.fields)
    }
    assert {"ApiToken", "Device", "Tag"} <= tenant_models

    wrong, used = [], set()
    for path in modules("access", "devices"):
        for model, line in unscoped(path, tenant_models):
            if model in UNSCOPED.get(relative(path), {}):
                used.add((relative(path), model))
            else:
                wrong.append(f"{relative(path)}:{line} asks for {model} of every tenant")
    assert not wrong, "\n".join(wrong)
    assert used == {(path, model) for path, reasons in UNSCOPED.items() for model in reasons}, (
        "an exception is not needed"
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Device.objects.filter(uuid=uuid).first()", ["Device"]),
        ("Device.objects.filter(uuid=uuid).exclude(tenant=tenant)", []),
        ("Device.objects.filter(tenant_id=1).update(name=name)", []),
        ("x = [Tag.objects.get(pk=1), Tag.objects.filter(tenant=t)]", ["Tag"]),
        ("Device._base_manager.all()", ["Device"]),
        ("Device.objects.bulk_create(devices)", []),
        ("tenant.devices.get(uuid=uuid)", []),
    ],
)
def test_the_tenant_check_finds_unscoped_queries(tmp_path: Path, source: str, found: list[str]) -> None:
    (path := tmp_path / "module.py").write_text(source)
    assert [model for model, _ in unscoped(path, {"Device", "Tag"})] == found


def test_templates_have_no_inline_styles_or_handlers() -> None:
    # The content security policy would drop them without a word.
    forbidden = re.compile(r"""\s(?:style|on[a-z]+|hx-on[:\w.-]*)\s*=|javascript:|<style\b""", re.IGNORECASE)
    wrong = [
        f"{relative(path)}:{number} {match[0].strip()}"
        for path in (ROOT / "templates").rglob("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := forbidden.search(line))
    ]
    assert not wrong, "\n".join(wrong)

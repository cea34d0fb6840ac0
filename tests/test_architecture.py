"""What the architecture promises and a reviewer would miss, read from the sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).parents[1]
# Each may import what stands to its right, and never back.
PROJECT = ["iru", "devices", "access"]
# Inside an app likewise, layer by layer. What lies beside the layers (permissions, digests, …) serves all of them.
LAYERS = [{"urls", "urls_api", "admin", "management"}, {"views", "api"}, {"forms", "schemas"}, {"services"}, {"models"}]
LONGEST = 300  # lines: past that, a subject has become two

# Where a query on a tenant's model may begin without its tenant, and why that is right.
UNSCOPED = {
    "access/authentication.py": {"ApiToken": "the secret says whose token it is; the tenant follows from it"},
    "access/management/commands/api_token.py": {"ApiToken": "`keys` counts for the operator, across tenants"},
    "access/sign_in.py": {"Administrator": "the session says who it is; the tenant follows from it"},
    "access/usage.py": {"ApiToken": "writes by the primary keys of tokens that were found alive"},
    "devices/management/commands/check_records.py": {"Device": "proves the records of every tenant"},
    "devices/management/commands/quickstart.py": {"Administrator": "makes the operator, who has no tenant"},
    "devices/models/records.py": {"Device": "compiled once for all tenants, and run with one"},
    "devices/services/imports.py": {"Fleet": "counts in the row that the tenant's fleet was just read from"},
    "devices/services/secrets.py": {"DeviceSecret": "a new key is for the secrets of every tenant"},
    "devices/services/records.py": {"Device": "works on the primary keys that its callers found in their tenant"},
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


def layer(dotted: list[str]) -> int | None:
    return next((rank for rank, names in enumerate(LAYERS) if len(dotted) > 1 and dotted[1] in names), None)


def test_imports_run_one_way() -> None:
    wrong = []
    for path in modules(*PROJECT):
        here = relative(path).removesuffix(".py").split("/")
        for name in imports(path):
            there = name.split(".")
            if there[0] not in PROJECT:
                continue
            if PROJECT.index(there[0]) < PROJECT.index(here[0]):
                wrong.append(f"{relative(path)} imports {name}: {here[0]} does not know {there[0]}")
            mine, other = layer(here), layer(there)
            if here[0] == there[0] and mine is not None and other is not None and other < mine:
                wrong.append(f"{relative(path)} imports {name}: {here[1]} does not know {there[1]}")
    assert not wrong, "\n".join(wrong)


def test_modules_stay_short() -> None:
    long = {relative(path): n for path in modules(*PROJECT) if (n := len(path.read_text().splitlines())) > LONGEST}
    assert not long


def test_a_schema_is_called_like_the_operations_that_use_it() -> None:
    names = {folder: {path.stem for path in modules(f"devices/{folder}")} for folder in ("api", "schemas")}
    assert names["schemas"] <= names["api"]


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
def test_the_check_above_sees_what_it_should(tmp_path: Path, source: str, found: list[str]) -> None:
    (path := tmp_path / "module.py").write_text(source)
    assert [model for model, _ in unscoped(path, {"Device", "Tag"})] == found


def test_templates_carry_neither_styles_nor_handlers() -> None:
    # The content security policy would drop them without a word.
    forbidden = re.compile(r"""\s(?:style|on[a-z]+|hx-on[:\w.-]*)\s*=|javascript:|<style\b""", re.IGNORECASE)
    wrong = [
        f"{relative(path)}:{number} {match[0].strip()}"
        for path in (ROOT / "templates").rglob("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := forbidden.search(line))
    ]
    assert not wrong, "\n".join(wrong)

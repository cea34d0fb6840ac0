"""What the documents tell people to type."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from access.kinds import AUDIT_EVENT, SUBSCRIBABLE, WEBHOOK_TEST

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", ".env.example")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_are_written_as_they_are_typed(name: str) -> None:
    """manage.py alone is no command: it is not executable, and the Python of the machine has no Django."""
    text = (ROOT / name).read_text()
    typed = re.findall(r"(?:^|`)((?:[^\s`]+ )*?)manage\.py (\w+)", text, re.MULTILINE)
    assert typed
    assert [
        f"{before}manage.py {command}" for before, command in typed if not before.endswith(("run ", "--dev "))
    ] == []
    assert {command for _, command in typed} <= set(get_commands())


def test_the_document_about_webhooks_has_every_type() -> None:
    documented = re.findall(r"^\| `(\w+\.\w+)` \|", (ROOT / "docs" / "webhooks.md").read_text(), re.MULTILINE)
    sent = {*SUBSCRIBABLE, AUDIT_EVENT, WEBHOOK_TEST}
    assert sorted(documented) == sorted(kind.id for kind in sent)


def test_the_files_that_the_documents_name_are_there() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "deploy" / "nginx.conf").read_text()
    named = re.findall(r"\bdeploy/[\w.@-]+\w", text)
    own = {".env", "certificate"}  # of an installation: git ignores both
    assert {Path(file).name for file in named} - own == {path.name for path in (ROOT / "deploy").iterdir()} - own


def test_git_ignores_what_the_documents_have_made_in_a_checkout() -> None:
    made = {".uv/", ".venv/", ".env", "/var/", "db.sqlite3*", "/deploy/certificate/"}
    assert made <= set((ROOT / ".gitignore").read_text().splitlines())

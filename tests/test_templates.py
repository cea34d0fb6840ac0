import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import get_template

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*") if path.is_file())


def test_every_template_compiles() -> None:
    for name in NAMES:
        get_template(name)


def test_every_static_file_that_a_template_names_is_there() -> None:
    """A file that is missing would be a 500 on every page that names it, once static files are collected."""
    missing = [
        f"{name}: {file}"
        for name in NAMES
        for file in re.findall(r"{% static \"([^\"]+)\" %}", (TEMPLATES / name).read_text())
        if finders.find(file) is None
    ]
    assert not missing

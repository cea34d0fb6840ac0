"""Templates and style sheets, read as text: what they name is there, and each thing has one place."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import get_template

pytestmark = pytest.mark.sqlite_only  # about sources, which are the same on both

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES, SHEETS, SCRIPTS = ROOT / "templates", ROOT / "static" / "css", ROOT / "static" / "js"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*") if path.is_file())
COMPONENTS = {
    "action_bar",
    "bars",
    "copy_id",
    "dialog_link",
    "empty",
    "field",
    "list_page",
    "name",
    "page_head",
    "pager",
    "reveal",
    "selection",
    "table",
    "warning",
}
LONGEST_LINE = 160
# The layer of a sheet, by its folder or its name.
LAYERS = {
    "theme.css": "theme",
    "base.css": "base",
    "layout.css": "layout",
    "components": "components",
    "pages": "pages",
}
# What puts text into a page as markup, by language; and where that is right, with the number of places.
RAW = {
    "templates": r"(?:\||filter)\s*safe(?:seq)?\b|autoescape\s+off|<(?:script|style)\b(?![^>]*\b(?:src|nonce)=)",
    "Python": r"mark_safe|SafeString\(|SafeText|html_safe|__html__|autoescape\s*=|format_html\(f",
    "scripts": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\(|new Function",
}
RAW_IS_RIGHT = {
    # E-mails in plain text.
    "templates/access/notices/mail.txt": 1,
    "templates/registration/invitation_email.txt": 1,
    "templates/registration/password_reset_email.txt": 1,
    "access/pages/forms/rendering.py": 2,  # each value of a select is escaped where it is written
    "access/templatetags/admin_words.py": 2,  # cells that Django has rendered and escaped
    "access/templatetags/access.py": 2,  # `breakable` escapes by itself: the import and the call
    "access/templatetags/tokens.py": 2,  # a rendered menu, in which a UUID takes the place of another
}
# The start of a class whose end comes from data, by what writes it in templates and in Python.
BUILT = {"depth-": "depth-{{ ", "method-": "method-{{ ", "tint-": 'f"tint-{'}
CLASS = re.compile(r"\.([a-zA-Z][\w-]*)")


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


def test_every_template_that_a_template_names_is_there() -> None:
    """Without this, a slot with a spelling mistake would be an empty place, and an include a 500 on a rare page."""
    named = r"\"([\w/-]+\.html(?:#\w+)?)\""
    for name in NAMES:
        for other in re.findall(named, (TEMPLATES / name).read_text()):
            get_template(other)


def _sources() -> Iterator[tuple[Path, str]]:
    """Each file that makes or changes a page, with its language."""
    yield from ((TEMPLATES / name, "templates") for name in NAMES)
    yield from ((path, "scripts") for path in SCRIPTS.rglob("*.js"))
    for package in ("access", "devices", "iru"):
        yield from ((path, "Python") for path in (ROOT / package).rglob("*.py"))


def test_text_becomes_markup_in_the_listed_places_only() -> None:
    """Django escapes every value. What turns that off needs a reason on the list, because a name may be a script."""
    found = {}
    for path, language in _sources():
        if places := len(re.findall(RAW[language], path.read_text())):
            found[str(path.relative_to(ROOT))] = places
    assert found == RAW_IS_RIGHT


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("templates", "{{ name|safe }}"),
        ("templates", "{{ names | safeseq|join:', ' }}"),
        ("templates", "{% autoescape off %}"),
        ("templates", "<script>alert(1)</script>"),
        ("templates", "{% filter safe %}"),
        ("Python", "return mark_safe(text)"),
        ("Python", "return SafeString(text)"),
        ("Python", 'return format_html(f"<b>{name}</b>")'),
        ("scripts", "element.innerHTML = text"),
    ],
)
def test_markup_from_text_is_recognized(language: str, text: str) -> None:
    assert re.search(RAW[language], text)


def test_every_form_that_is_posted_holds_its_csrf_token() -> None:
    for name in NAMES:
        forms = re.findall(r"<form\b.*?</form>", _text(name), flags=re.DOTALL)
        assert [form for form in forms if 'method="post"' in form and "{% csrf_token %}" not in form] == [], name


def test_no_field_refuses_what_is_pasted() -> None:
    """Passwords come from a password manager, or by hand from its window."""
    readers = re.compile(r"onpaste|onbeforeinput|[\"'`](?:paste|beforeinput)[\"'`]")
    scripts = {path.name: path.read_text() for path in SCRIPTS.glob("*.js")}
    widgets = {str(path): path.read_text() for app in ("access", "devices") for path in (ROOT / app).rglob("*.py")}
    assert scripts
    assert [name for name, text in (scripts | widgets).items() if readers.search(text)] == []
    assert [name for name in NAMES if readers.search(_text(name))] == []


def test_no_line_is_longer_than_a_review_can_show() -> None:
    long = [
        f"{name}:{number}"
        for name in NAMES
        for number, line in enumerate((TEMPLATES / name).read_text().splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert not long


def test_the_shared_components_name_their_arguments_and_are_used_by_several_pages() -> None:
    assert {path.stem for path in (TEMPLATES / "components").iterdir()} == COMPONENTS
    for component in COMPONENTS:
        path = f"components/{component}.html"
        assert (TEMPLATES / path).read_text().startswith(f"{{# {component}: "), path
        users = [
            name for name in NAMES if not name.startswith("components/") and path in (TEMPLATES / name).read_text()
        ]
        assert len(set(users) - {"access/styleguide.html"}) > 1, path


def test_a_piece_of_a_page_names_its_arguments() -> None:
    pieces = [name for name in NAMES if Path(name).name.startswith("_")]
    assert pieces
    assert [name for name in pieces if not (TEMPLATES / name).read_text().startswith("{# ")] == []


def rules(sheet: str) -> list[str]:
    """The selectors of a style sheet, one by one."""
    text = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    heads = [head.strip() for head in re.findall(r"([^{};]+)\{", text)]
    return [one.strip() for head in heads if head[0] != "@" for one in re.split(r",(?![^(]*\))", head)]


def subject(selector: str) -> str:
    """The last part of a selector: the element that the rule styles."""
    while re.search(r"\([^()]*\)", selector):
        selector = re.sub(r"\([^()]*\)", "", selector)
    return re.split(r"[\s>+~]+", selector.strip())[-1]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (".table th.number", "th.number"),
        (".row:has(.field, a:not(.b)) > a", "a"),
        (".badge.warning", ".badge.warning"),
        ("[open] > summary .arrow", ".arrow"),
    ],
)
def test_the_subject_of_a_selector_is_the_element_that_it_styles(selector: str, expected: str) -> None:
    assert subject(selector) == expected


def test_no_class_is_styled_in_two_sheets() -> None:
    """The first class of the element counts: `.button.danger` and `.badge.danger` style buttons and badges."""
    styled = defaultdict(set)
    for path in SHEETS.rglob("*.css"):
        for selector in rules(path.read_text()):
            if found := CLASS.search(subject(selector)):
                styled[found[1]].add(str(path.relative_to(SHEETS)))
    assert len(styled) > 100
    assert {name: sheets for name, sheets in styled.items() if len(sheets) > 1} == {}


def used_classes() -> set[str]:
    """What the templates write into `class`, or give to a component as its `look`, and what the scripts set."""
    value = r"(?:class|look)=\"((?:[^\"{]|\{\{.*?\}\}|\{%.*?%\})*)\""
    written = [text for name in NAMES for text in re.findall(value, _text(name))]
    scripts = "".join(path.read_text() for path in SCRIPTS.rglob("*.js"))
    set_by_script = re.findall(r"(?:className = |classList\.\w+\()\"([\w-]+)\"", scripts + _text("base.html"))
    by_htmx = {"htmx-request"}  # on an element while its request is on the way
    return {word for text in written for word in re.findall(r"[\w-]+", text)} | set(set_by_script) | by_htmx


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text()


def test_every_class_that_is_styled_is_used() -> None:
    used = used_classes()
    everything = "".join(_text(name) for name in NAMES) + (ROOT / "devices/templatetags/devices.py").read_text()
    used_starts = tuple(start for start, source in BUILT.items() if source in everything)
    styled = {
        name for path in SHEETS.rglob("*.css") for rule in rules(path.read_text()) for name in CLASS.findall(rule)
    }
    assert sorted(name for name in styled if name not in used and not name.startswith(used_starts)) == []


def test_every_sheet_is_linked_and_in_the_layer_of_its_folder() -> None:
    linked = {file for name in NAMES for file in re.findall(r"{% static \"css/([^\"]+)\" %}", _text(name))}
    sheets = {str(path.relative_to(SHEETS)) for path in SHEETS.rglob("*.css")}
    assert sheets == linked
    for sheet in sheets:
        text = re.sub(r"/\*.*?\*/", "", (SHEETS / sheet).read_text(), flags=re.DOTALL).strip()
        if sheet == "theme.css":
            order, _, text = text.partition(";")
            assert order == "@layer theme, base, layout, components, pages"
        assert re.findall(r"@layer (\w+)", text) == [LAYERS[sheet.split("/")[0]]], sheet
        assert text.strip().startswith("@layer"), sheet
        assert text.endswith("\n}"), sheet


def test_htmx_does_nothing_that_the_content_security_policy_forbids() -> None:
    loading = [text for text in map(_text, NAMES) if "{% htmx_script %}" in text]
    assert loading
    for text in loading:
        found = re.search(r"""<meta name="htmx-config" content='(.*?)'>""", text, re.DOTALL)
        assert found
        config = json.loads(found[1])
        assert config["allowEval"] is config["allowScriptTags"] is config["includeIndicatorStyles"] is False

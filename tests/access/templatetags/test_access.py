"""What the templates ask of an address, and of each other."""

import pytest
from django.template import Context, Engine, TemplateDoesNotExist

from access.templatetags.access import within

PAGE = "{% partialdef action %}<b>{{ word }}</b>{% endpartialdef %}"


@pytest.mark.parametrize(
    ("path", "section", "expected"),
    [
        ("/devices/", "/devices/", True),
        ("/devices/1/notes/", "/devices/", True),
        ("/devices/1/notes/", "/devices", True),
        ("/users/1/devices/", "/devices/", False),
        ("/devices-old/", "/devices/", False),
        ("/devices-old/", "/devices", False),
        ("/", "/", True),
        ("/devices/", "/", False),
    ],
)
def test_a_page_is_within_a_section_by_whole_segments(path: str, section: str, expected: bool) -> None:
    assert within(path, section) is expected


def test_a_slot_is_the_partial_of_the_page_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loaders = [("django.template.loaders.locmem.Loader", {"page.html": PAGE})]
    engine = Engine(loaders=loaders, libraries={"access": "access.templatetags.access"})
    monkeypatch.setattr(Engine, "get_default", lambda: engine)

    def drawn(arguments: str) -> str:
        return engine.from_string(f"{{% load access %}}{{% slot {arguments} %}}").render(Context({"word": "<i>"}))

    assert drawn('"page.html" "action"') == "<b>&lt;i&gt;</b>"
    assert drawn('"page.html" "other"') == ""
    assert drawn('of "action"') == ""
    with pytest.raises(TemplateDoesNotExist):
        drawn('"missing.html" "action"')

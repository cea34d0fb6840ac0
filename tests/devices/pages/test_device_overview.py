"""The cards of a device's overview, and the table of facts."""

import pytest

from devices.fleet.facts import ALL, DETAIL_FIELDS, DetailField, Fact
from devices.models import Platform
from devices.pages import device_overview
from devices.pages.device_overview import MANAGEMENT, SYSTEM, Reported, layout


@pytest.mark.parametrize("platform", Platform)
def test_every_fact_with_a_label_is_one_line(platform: Platform) -> None:
    lines = [(line.label, line.path, line.good) for card in layout(platform).values() for line in card]
    for fact, field in DETAIL_FIELDS[platform]:
        expected = 1 if fact.label and field.on_overview else 0
        assert lines.count((fact.label, f"{field.section}.{field.key}", fact.good)) == expected, fact.key


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize(("section", "card"), [("mdm", MANAGEMENT), ("general", SYSTEM), ("a_new_one", SYSTEM)])
def test_a_fact_that_no_card_lists_is_the_last_line_of_the_card_of_its_section(
    platform: Platform, section: str, card: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = DetailField(ALL, section, "invented")
    fact = Fact(key="invented", path="invented", label="Invented", details=(field,), good=True)
    fields = {platform: (*DETAIL_FIELDS[platform], (fact, field))}
    before = layout(platform)
    monkeypatch.setattr(device_overview, "DETAIL_FIELDS", fields)
    assert layout(platform) == before | {card: [*before[card], Reported("Invented", f"{section}.invented", good=True)]}

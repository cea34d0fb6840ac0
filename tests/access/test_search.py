"""The search of the permission editor and of the reference: what it finds, and in which order."""

import pytest

from access.permissions import catalogue
from access.search import rank


def found(query: str) -> list[str]:
    matching = [permission for permission in catalogue if permission.matches(query)]
    return [each.codename for each in sorted(matching, key=lambda permission: rank(query, permission.label))]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("device list", "list_devices"),
        ("devices list", "list_devices"),
        ("LIST  device", "list_devices"),
        ("wipe", "erase_device"),
        ("wipe device", "erase_device"),
        ("get blueprints", "list_blueprints"),
        ("remove device", "delete_device"),
        ("reboot", "restart_device"),
        ("passcode clear", "clear_passcode"),
        ("/action/erase", "erase_device"),
        ("list_users", "list_users"),
        ("apps", "prism_apps"),
    ],
)
def test_words_are_found_in_any_order_and_by_their_synonyms(query: str, first: str) -> None:
    assert first in found(query)
    if query not in {"apps", "wipe", "reboot"}:
        assert found(query).index(first) < 3


def test_the_exact_label_is_first_and_labels_come_before_other_texts() -> None:
    assert found("device details")[0] == "get_device_details"
    labels = {permission.codename: permission.label.casefold() for permission in catalogue}
    in_label = ["lock" in labels[codename] for codename in found("lock")]
    assert in_label == sorted(in_label, reverse=True)
    assert set(in_label) == {True, False}


def test_a_word_that_is_nowhere_finds_nothing() -> None:
    assert found("device zzz") == []
    assert len(found("  ")) == len(catalogue)

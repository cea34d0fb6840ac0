import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.versions import VERSION, at_least, version_of

pytestmark = pytest.mark.sqlite_only  # about texts; test_conditions.py has both databases compare with it

NUMBERS = st.one_of(st.integers(0, 12), st.sampled_from([9, 10, 19, 20, 99, 100, 101, 999, 1000, 26100, 99999]))
VERSIONS = st.lists(NUMBERS, min_size=1, max_size=5).map(lambda numbers: ".".join(map(str, numbers)))


def numbers(version: str) -> list[int]:
    return [*map(int, version.split(".")), 0, 0, 0, 0][:5]


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VERSIONS, VERSIONS)
def test_versions_are_compared_number_by_number(reported: str, version: str) -> None:
    assert VERSION.fullmatch(version)
    later = numbers(reported) >= numbers(version)
    assert bool(re.search(at_least(version), reported)) == later
    assert ((version_of(reported) or ()) >= (version_of(version) or ())) == later


@pytest.mark.parametrize(
    ("reported", "version", "expected"),
    [
        ("9.3", "15", False),
        ("15", "15.0.0", True),
        ("15.0", "15", True),
        ("15.10", "15.9", True),
        ("150", "15.1", True),
        ("015.1", "15.1", True),
        ("15.1 (24B83)", "15.1", True),
        ("15-beta", "15", True),
        ("", "0", False),
        ("macOS 15", "15", False),
    ],
)
def test_texts_around_a_version(reported: str, version: str, expected: bool) -> None:
    assert bool(re.search(at_least(version), reported)) == expected

"""The grammar of `filter`: the rows that a filter finds, and the error for a wrong filter."""

import json
from datetime import UTC, datetime

import pytest

from access.models import Tenant
from devices.filters import MOST_VALUES, Column, FilterError, Kind, comparisons_of, condition, read_filter
from tests.factories.devices import DeviceFactory

COLUMNS = {
    "name": Column(Kind.TEXT, "name"),
    "id": Column(Kind.UUID, "uuid"),
    "encrypted": Column(Kind.BOOLEAN, "filevault_enabled"),
    "seen": Column(Kind.DATE, "last_check_in"),
    "level": Column(Kind.NUMBER, "supplemental_build_version"),
    "user_name": Column(Kind.TEXT, "user__name"),
}
FIRST = "98765000-0000-4000-8000-000000000001"


@pytest.fixture
def fleet(tenant: Tenant) -> Tenant:
    DeviceFactory.create(
        tenant=tenant,
        uuid=FIRST,
        name="Anñ MacBook Air",
        filevault_enabled=True,
        last_check_in=datetime(2026, 9, 3, 4, tzinfo=UTC),
    )
    DeviceFactory.create(
        tenant=tenant,
        name="Bo macbook pro",
        filevault_enabled=False,
        last_check_in=datetime(2026, 9, 5, tzinfo=UTC),
    )
    DeviceFactory.create(tenant=tenant, name="100% iPad_1", filevault_enabled=None, last_check_in=None)
    return tenant


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({}, "Anñ Bo 100%"),
        ({"name": {}}, "Anñ Bo 100%"),
        ({"name": {"in": ["Anñ MacBook Air", "nobody's"]}}, "Anñ"),
        ({"name": {"in": ["anñ macbook air"]}}, ""),
        ({"name": {"in": []}}, ""),
        ({"name": {"not_in": ["Anñ MacBook Air"]}}, "Bo 100%"),
        ({"name": {"not_in": []}}, "Anñ Bo 100%"),
        ({"name": {"like": ["MACBOOK"]}}, "Anñ Bo"),
        ({"name": {"like": ["air", "ipad"]}}, "Anñ 100%"),
        ({"name": {"like": []}}, ""),
        ({"name": {"like": ["%"]}}, "100%"),
        ({"name": {"like": ["d_1"]}}, "100%"),
        ({"name": {"like": ["d-1"]}}, ""),
        ({"name": {"not_like": ["air", "ipad"]}}, "Bo"),
        ({"name": {"not_like": []}}, "Anñ Bo 100%"),
        ({"name": {"like": ["macbook"], "not_like": ["pro"]}}, "Anñ"),
        ({"user_name": {"not_in": ["Anñ"]}}, "Anñ Bo 100%"),  # rows without a value are found too
        ({"user_name": {"not_like": ["Anñ"]}}, "Anñ Bo 100%"),
        ({"user_name": {"is_null": True}}, "Anñ Bo 100%"),
        ({"id": {"in": [FIRST]}}, "Anñ"),
        ({"id": {"in": [FIRST.replace("-", "").upper(), "no id"]}}, "Anñ"),
        ({"id": {"in": ["no id"]}}, ""),
        ({"id": {"not_in": ["no id"]}}, "Anñ Bo 100%"),
        ({"encrypted": {"eq": True}}, "Anñ"),
        ({"encrypted": {"eq": False}}, "Bo"),
        ({"encrypted": {"is_null": True}}, "100%"),
        ({"encrypted": {"is_null": False}}, "Anñ Bo"),
        ({"seen": {"gte": "2026-09-03T04:00:00.000Z", "lte": "2026-09-04T04:00:00.000Z"}}, "Anñ"),
        ({"seen": {"gt": "2026-09-03T04:00:00.000Z"}}, "Bo"),
        ({"seen": {"lt": "2026-09-03T06:00:00.000001+02:00"}}, "Anñ"),
        ({"seen": {"gte": "2026-09-05"}}, "Bo"),
        ({"seen": {"gte": "2026-09-05T00:00:00"}}, "Bo"),
        ({"seen": {"in": ["2026-09-05T00:00:00Z"]}}, "Bo"),
        ({"seen": {"or": {"gt": "2026-09-04T00:00:00Z", "lt": "2026-09-01T00:00:00Z"}}}, "Bo"),
        ({"seen": {"or": {"gt": "2026-09-04T00:00:00Z", "lt": "2026-09-04T00:00:00Z"}, "lte": "2026-09-04"}}, "Anñ"),
        ({"seen": {"is_null": True}}, "100%"),
        ({"name": {"like": ["macbook"]}, "encrypted": {"eq": False}}, "Bo"),
    ],
)
def test_the_rows_that_a_filter_finds(fleet: Tenant, filter: object, found: str) -> None:
    tests = read_filter(json.dumps(filter), COLUMNS)
    devices = fleet.devices.filter(condition(tests, COLUMNS)).order_by("pk")
    assert [device.name.split()[0] for device in devices] == found.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device_serial_number", "filter is not JSON"),
        ("", "filter is not JSON"),
        ('{"name": NaN}', "filter is not JSON"),
        ('{"name": {"in": ["\\ud800"]}}', "filter is not JSON"),
        ("[" * 5000, "filter is not JSON"),
        ("[]", "filter is not a JSON object"),
        ("null", "filter is not a JSON object"),
        ('{"app_name": {"like": ["Safari"]}}', 'unknown column "app_name"'),
        ('{"name": "Safari"}', 'the column "name"'),
        ('{"name": {"is": ["Safari"]}}', 'does not take the operator "is"'),
        ('{"name": {"gt": "2026-09-03"}}', 'does not take the operator "gt"'),
        ('{"name": {"eq": true}}', 'does not take the operator "eq"'),
        ('{"name": {"in": ["a"], "not_in": ["b"]}}', 'the column "name" has both in and not_in'),
        ('{"name": {"in": "Safari"}}', 'the operator "in" of the column "name" takes a list'),
        ('{"name": {"in": [null]}}', 'the operator "in" of the column "name"'),
        ('{"name": {"in": [1]}}', 'the operator "in" of the column "name"'),
        ('{"name": {"like": ["a\\u0000"]}}', 'the operator "like" of the column "name"'),
        ('{"name": {"is_null": "true"}}', '"is_null" of the column "name" takes true or false'),
        ('{"encrypted": {"eq": 1}}', '"eq" of the column "encrypted" takes true or false'),
        ('{"encrypted": {"in": [true]}}', 'does not take the operator "in"'),
        ('{"seen": {"gt": "yesterday"}}', '"gt" of the column "seen" takes a date'),
        ('{"seen": {"gt": 5}}', '"gt" of the column "seen" takes a date'),
        ('{"seen": {"gt": "0001-01-01T00:00:00+14:00"}}', '"gt" of the column "seen" takes a date'),
        ('{"seen": {"or": {}}}', 'the operator "or" of the column "seen"'),
        ('{"seen": {"or": {"or": {}}}}', 'does not take the operator "or"'),
        ('{"seen": {"or": {"gt": null}}}', '"gt" of the column "seen"'),
        ('{"level": {"gt": true}}', '"gt" of the column "level" takes a number'),
        ('{"level": {"gt": 1e999}}', ""),
        (json.dumps({"level": {"in": ["x"]}}), '"in" of the column "level"'),
        (json.dumps({"name": {"in": ["x" * 1001]}}), '"in" of the column "name"'),
        (json.dumps({"name": {"in": ["x"] * (MOST_VALUES + 1)}}), f"more than {MOST_VALUES} values"),
    ],
)
def test_what_is_said_of_a_wrong_filter(text: str, message: str) -> None:
    with pytest.raises(FilterError) as refused:
        read_filter(text, COLUMNS)
    assert message in refused.value.message


def test_a_long_name_is_quoted_in_part() -> None:
    with pytest.raises(FilterError) as refused:
        comparisons_of({"x" * 5000: {}}, COLUMNS)
    assert len(refused.value.message) < 200


def test_numbers_may_come_as_text() -> None:
    (test,) = comparisons_of({"level": {"in": [5, "5.5"]}}, COLUMNS)
    assert test.value == [5.0, 5.5]


@pytest.mark.django_db
def test_the_largest_filter_is_one_that_the_database_takes(fleet: Tenant) -> None:
    texts = [f"{number}-{'x' * 20}" for number in range(MOST_VALUES)]
    for operator in ("like", "not_like", "in", "not_in"):
        tests = comparisons_of({"name": {operator: texts}}, COLUMNS)
        assert fleet.devices.filter(condition(tests, COLUMNS)).count() == (3 if operator.startswith("not") else 0)

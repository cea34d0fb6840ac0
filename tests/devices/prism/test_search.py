"""Filters compared with the same filters in Python, on random rows; and the queries that find the rows."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from access.models import Tenant
from devices.filters import comparisons_of
from devices.models import Platform
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.tables import ROWS
from devices.prism import search as searching
from devices.prism.columns import filter_columns, sort_column
from devices.prism.rows import store_rows
from devices.prism.search import Position, Row, Search, as_row, find
from tests.devices.prism.reports import REPORTED, app, fleet_with_apps
from tests.factories.devices import BlueprintFactory, DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db

APPS = CATEGORIES["apps"]
NAMES = ("Slack", "slack beta", "Zoom", "100%", "a_b", "Übersicht", "")
type Filter = dict[str, dict[str, Any]]


@pytest.fixture
def fleet(tenant: Tenant) -> Tenant:
    random = Random(7)
    user = UserFactory.create(tenant=tenant, name="Thor Odinson", deprecated_user_id="17")
    blueprints = BlueprintFactory.create_batch(2, tenant=tenant)
    for number in range(8):
        device = DeviceFactory.create(
            tenant=tenant,
            name=f"testuser's Mac {number}",
            user=user if number % 3 == 0 else None,
            blueprint=blueprints[number % 2],
            platform=(Platform.MAC, Platform.IPAD, Platform.APPLE_TV)[number % 3],
            asset_tag=f"A-{number % 2}" if number % 4 else "",
        )
        rows = [
            app(
                name,
                random.choice(("1.0", "2.0")),
                bundle_size=random.choice((None, 1, 50, 1000)),
                beta_app=random.choice((None, True, False)),
                team_id=random.choice((None, "TEAM1", "team2")),
                info=random.choice((None, "x")),
            )
            for name in random.sample(NAMES, random.randint(1, len(NAMES)))
        ]
        at = REPORTED + timedelta(hours=random.randint(0, 5))
        store_rows(tenant=tenant, category="apps", reports={device.pk: rows}, collected_at=at)
    return tenant


def search(tenant: Tenant, filter: Filter, **options: Any) -> Search:
    comparisons = comparisons_of(filter, filter_columns("apps"))
    return find(tenant=tenant, category=APPS, comparisons=comparisons, **options)


def walked(found: Search, size: int) -> list[Row]:
    rows, position = list[Row](), None
    while pks := found.after(position, size):
        fields = found.fields(pks)
        rows += [as_row(APPS, each) for each in fields]
        position = Position(fields[-1][1], fields[-1][0])
    return rows


def passes(row: Row, filter: Filter) -> bool:
    """Whether the row passes the filter, computed in Python."""
    return all(
        _passes(row[name], operator, value) for name, tests in filter.items() for operator, value in tests.items()
    )


def _passes(cell: Any, operator: str, value: Any) -> bool:
    if isinstance(value, str) and operator in {"lt", "lte", "gt", "gte"}:
        cell, value = cell and datetime.fromisoformat(cell), datetime.fromisoformat(value)
    match operator:
        case "is_null":
            return (cell is None) is bool(value)
        case "or":
            return any(_passes(cell, name, each) for name, each in value.items())
        case "not_in" | "not_like":
            return not _passes(cell, operator.removeprefix("not_"), value)
    if cell is None:
        return False
    match operator:
        case "eq":
            return bool(cell == value)
        case "in":
            return bool(cell in value)
        case "like":
            return any(part.lower() in str(cell).lower() for part in value)
        case "lt":
            return bool(cell < value)
        case "lte":
            return bool(cell <= value)
        case "gt":
            return bool(cell > value)
    return bool(cell >= value)


def random_filter(random: Random) -> Filter:
    moment = (REPORTED + timedelta(hours=random.randint(0, 5))).isoformat()
    texts = random.sample((*NAMES, "TEAM1", "A-1", "Thor Odinson", "a", "%", "_", "testuser's Mac 3", "x"), 3)
    truths = [{"is_null": True}, {"is_null": False}]
    tests: dict[str, list[dict[str, Any]]] = {
        "text": [{"in": texts}, {"not_in": texts}, {"like": texts}, {"not_like": texts}, *truths],
        "date": [{"gte": moment}, {"lt": moment}, {"or": {"gt": moment, "lt": moment}}, {"is_null": False}],
        "number": [{"gt": 10}, {"lte": 50}, {"in": [1, 1000]}, {"not_in": [50]}, {"is_null": True}],
        "boolean": [{"eq": True}, {"eq": False}, {"is_null": True}],
    }
    own, of_device = ("name", "team_id", "info"), ("device__name", "device__user_name", "device__user_id", "asset_tag")
    columns = {
        "text": (*own, *of_device, "model_id"),
        "date": ("created_at", "updated_at", "last_collected_at"),
        "number": ("bundle_size",),
        "boolean": ("beta_app",),
    }
    chosen: Filter = {}
    for _ in range(random.randint(1, 3)):
        kind = random.choice(("text", "text", "date", "number", "boolean"))
        chosen.setdefault(random.choice(columns[kind]), random.choice(tests[kind]))
    return chosen


@pytest.mark.parametrize("few", [None, 0, 10**9], ids=["as it comes", "by walks", "by gathering"])
def test_a_filter_finds_what_it_says(fleet: Tenant, monkeypatch: pytest.MonkeyPatch, few: int | None) -> None:
    if few is not None:
        monkeypatch.setattr(Search, "_few", few)
    random = Random(11)
    everything = walked(search(fleet, {}), 300)
    assert len(everything) == ROWS["apps"].objects.count()
    for _ in range(60):
        filter = random_filter(random)
        expected = [row for row in everything if passes(row, filter)]
        found = search(fleet, filter)
        assert walked(found, random.choice((1, 3, 300))) == expected, json.dumps(filter)
        assert found.total == len(expected), json.dumps(filter)
        assert [as_row(APPS, each) for each in found.fields(found.at(2, 4))] == expected[2:6], json.dumps(filter)


def keys_of(column: str, rows: Iterable[Row]) -> list[tuple[bool, Any]]:
    return [(row[column] is not None, row[column] if row[column] is not None else 0) for row in rows]


@pytest.mark.parametrize(
    "filter", [{}, {"name": {"like": ["a"]}}, {"device__name": {"not_like": ["3"]}}], ids=json.dumps
)
@pytest.mark.parametrize(
    "text", ["version", "-bundle_size", "device__name", "-created_at", "last_collected_at", "tags"]
)
def test_any_column_sorts_in_a_total_order(fleet: Tenant, text: str, filter: Filter) -> None:
    found, column = search(fleet, filter), sort_column("apps", text)
    descending = text.startswith("-")
    pks: list[int] = []
    while page := found.sorted_at(column, len(pks), 3, descending=descending):
        pks += page
    assert sorted(pks) == sorted(found.at(0, 1000))
    keys = keys_of(column.key, (as_row(APPS, each) for each in found.fields(pks)))
    assert keys == sorted(keys, reverse=descending)


def test_a_total_that_is_too_large_to_count_is_estimated(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet_with_apps(tenant, 6, "Slack", "Zoom")
    filter = {"name": {"in": ["Slack"]}, "device__name": {"like": ["mac"]}}
    assert search(tenant, filter).total == 6
    monkeypatch.setattr(searching, "COUNTED", 3)
    assert search(tenant, filter).total == 6  # 6 of the 12 rows, and all devices match
    assert search(tenant, {"name": {"in": ["Slack"]}}).total == 6  # a sum, however large


def test_sorting_more_rows_than_can_be_sorted_is_refused(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet_with_apps(tenant, 3, "Slack", "Zoom")
    monkeypatch.setattr(searching, "MOST_SORTED", 2)
    both = search(tenant, {"name": {"in": ["Slack"]}, "device__name": {"like": ["mac"]}})
    with pytest.raises(searching.TooManyToSort, match='3 rows are too many to sort by "version"'):
        both.sorted_at(sort_column("apps", "version"), 0, 10, descending=False)
    assert len(search(tenant, {}).sorted_at(sort_column("apps", "version"), 0, 10, descending=False)) == 6


def test_what_changed_is_walked_in_the_order_of_change(tenant: Tenant) -> None:
    """So the search does not read the many rows that did not change."""
    early, late = fleet_with_apps(tenant, 2, "Slack", "Zoom")
    for device, name, hours in ((late, "Slack", 1), (early, "Zoom", 2)):
        rows = [app(each, "2.0" if each == name else "1.0") for each in ("Slack", "Zoom")]
        at = REPORTED + timedelta(hours=hours)
        store_rows(tenant=tenant, category="apps", reports={device.pk: rows}, collected_at=at)
    since = (REPORTED + timedelta(minutes=30)).isoformat()
    rows = walked(search(tenant, {"updated_at": {"gte": since}}), 1)
    assert [(row["device__name"], row["name"], row["version"]) for row in rows] == [
        (late.name, "Slack", "2.0"),
        (early.name, "Zoom", "2.0"),
    ]
    assert walked(search(tenant, {"created_at": {"gte": since}}), 1) == []

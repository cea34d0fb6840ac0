"""Prepared records: the JSON text that `GET /devices` and `GET /devices/{id}` answer for a device, and the columns that
the list of devices is searched and sorted by.

They are rendered when something in it changes, in the transaction that changes it, so that a list of 300 devices is
300 texts joined. Where thousands of devices share what changed, a worker renders them, a batch in each transaction.
`facts.FACTS` says what a record holds, and only `render` writes one. For the one fact that changes all day there is
`with_last_check_in`, which puts another moment into a rendered record.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection, transaction

from access.tasks.backend import task
from devices.fleet.facts import COLUMNS, FACTS, POSITIONS, Converter, Fact, getter, unchanged
from devices.models import Device, Fleet
from devices.text import search_form

BATCH = 2000
AT_ONCE = 2000  # devices whose records are rendered with a change of what they share; more are left to a worker
PART = 500  # devices in one transaction of a worker
# The columns that are written with a record, in the order of `labels`.
LABELS = ("search_text", "blueprint_label", "user_label")
_EXTENDED = "tenant__fleet__extended_records"
# The columns of a search, and the maximum of characters of each: together not more than search_text holds.
_SEARCHED = {"name": 150, "serial_number": 100, "model": 70, "asset_tag": 80, "user__name": 95, "user__email": 100}
_searched = itemgetter(*(POSITIONS[path] for path in _SEARCHED))
_labelled = itemgetter(*(POSITIONS[path] for path in ("blueprint__name", "user__name", "user__email")))


class _Layout:
    """The keys of a record, where the value of each stands among the columns, and how some of them are written.

    Made once from the table of facts, because an import renders a hundred thousand records.
    """

    def __init__(self, *kinds: str) -> None:
        facts = [fact for fact in FACTS if fact.record in kinds]
        self.keys = [fact.key for fact in facts]
        self.columns = itemgetter(*(POSITIONS[fact.paths[0]] for fact in facts))
        self.conversions = [
            (fact.key, getter(fact), convert) for fact in facts if (convert := _conversion(fact)) is not unchanged
        ]


def _conversion(fact: Fact) -> Converter:
    join, convert = fact.join, fact.converter
    if join is unchanged or convert is unchanged:
        return convert if join is unchanged else join
    return lambda columns: convert(join(columns))


_RECORD, _EXTENDED_RECORD = _Layout("every"), _Layout("every", "extended")
(_CHECK_IN,) = (fact for fact in FACTS if fact.path == "last_check_in")
# In compact JSON this is only found where the key is: each quote inside of a text has a backslash before it.
_CHECK_IN_TEXT = re.compile(rf'"{_CHECK_IN.key}":(?:null|"[^"]*")')


def render(columns: Sequence[Any], tags: Iterable[str], *, extended: bool) -> str:
    """The DEVICE record of one device as compact JSON. `columns` are the values of `facts.COLUMNS`.

    `extended`: whether the tenant's records have the keys of Windows and Android.
    """
    layout = _EXTENDED_RECORD if extended else _RECORD
    values = (*columns, tags)
    record = dict(zip(layout.keys, layout.columns(values), strict=True))
    for key, get, convert in layout.conversions:
        record[key] = convert(get(values))
    return orjson.dumps(record).decode()


def labels(columns: Sequence[Any]) -> tuple[str, str, str]:
    """The values of LABELS for a device. `columns` are the values of `facts.COLUMNS`."""
    blueprint, user, email = _labelled(columns)
    texts = zip(_searched(columns), _SEARCHED.values(), strict=True)
    # A line for each, so that no word is found across two of them.
    searched = "\n".join(search_form(text or "")[:maximum] for text, maximum in texts)
    return searched, blueprint, user or email or ""


def with_last_check_in(record: str, at: datetime) -> str:
    """The record with another last check-in, as `render` would write it."""
    text = f'"{_CHECK_IN.key}":{orjson.dumps(_CHECK_IN.converter(at)).decode()}'
    return _CHECK_IN_TEXT.sub(text, record, count=1)


def outdated(pks: Iterable[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(primary key, fresh texts) of those devices whose record or LABELS are not what their columns make of them now.

    The texts are the record and the values of LABELS.
    """
    for batch in batched(pks, BATCH, strict=False):
        tags = defaultdict(list)
        for device, tag in Device.tags.through.objects.filter(device__in=batch).values_list("device_id", "tag__name"):
            tags[device].append(tag)
        rows = Device.objects.filter(pk__in=batch)
        for pk, record, search, blueprint, user, extended, *columns in rows.values_list(
            "pk", "record_json", *LABELS, _EXTENDED, *COLUMNS
        ):
            fresh = render(columns, tags[pk], extended=extended), *labels(columns)
            if fresh != (record, search, blueprint, user):
                yield pk, fresh


def refresh(pks: Iterable[int]) -> int:
    """Bring these devices' stored records up to date, in the caller's transaction. Returns how many changed."""
    changed = 0
    for batch in batched(pks, BATCH, strict=False):
        # The lock waits for other changes of these records, so that the values read below are the newest.
        list(Device.objects.filter(pk__in=batch).order_by("pk").select_for_update(no_key=True).values_list("pk"))
        if fresh := list(outdated(batch)):
            _store(fresh)
            changed += len(fresh)
    return changed


def refresh_locked(pk: int) -> str | None:
    """Bring the stored record of a device up to date that the caller has locked, or just written.

    Returns the record if it changed.
    """
    fresh = list(outdated([pk]))
    if not fresh:
        return None
    _store(fresh)
    ((_, (record, *_)),) = fresh
    return record


def set_last_check_in(moments: Mapping[int, datetime]) -> None:
    """Store the last check-in of these devices, with their records. The caller has locked them.

    One statement writes both, because each new version of a device's row has to be entered into all of its indexes.
    """
    rows = Device.objects.filter(pk__in=moments).values_list("pk", "record_json")
    texts = [(pk, moments[pk], with_last_check_in(record, moments[pk])) for pk, record in rows]
    if not texts:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "UPDATE devices_device SET last_check_in = fresh.at, record_json = fresh.record_json "
                "FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS fresh(id, at, record_json) "
                "WHERE devices_device.id = fresh.id",
                [list(column) for column in zip(*texts, strict=True)],
            )
        else:
            adapt = connection.ops.adapt_datetimefield_value
            cursor.executemany(
                "UPDATE devices_device SET last_check_in = %s, record_json = %s WHERE id = %s",
                [(adapt(at), record, pk) for pk, at, record in texts],
            )


def refresh_sharing(pks: Iterable[int]) -> None:
    """Bring the records of devices up to date that share what was changed: a blueprint, a user, a tag.

    Up to AT_ONCE are done in the caller's transaction, and more by a worker within seconds of the commit. Until then
    lists show the old name of a blueprint, a user or a tag.
    """
    pks = sorted(pks)
    if len(pks) <= AT_ONCE:
        refresh(pks)
        return
    for part in batched(pks, AT_ONCE, strict=False):
        refresh_parts.enqueue(list(part))


@task(retries=5)
def refresh_parts(pks: list[int]) -> None:
    """Bring these devices' records up to date, PART in each transaction. Harmless when it runs twice."""
    for part in batched(pks, PART, strict=False):
        with transaction.atomic():
            refresh(part)


def enable_extended_records(fleet: Fleet) -> None:
    """From now on every record of the tenant carries the three keys of Windows and Android."""
    if not fleet.extended_records:
        fleet.extended_records = True
        fleet.save(update_fields=["extended_records"])
        refresh(list(Device.objects.filter(tenant=fleet.tenant_id).values_list("pk", flat=True)))


def _store(texts: Iterable[tuple[int, tuple[str, ...]]]) -> None:
    # bulk_update builds one CASE per row, which takes seconds for what these two forms do in milliseconds.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pks, rows = zip(*texts, strict=True)
            cursor.execute(
                "UPDATE devices_device SET record_json = fresh.record_json, search_text = fresh.search_text, "
                "blueprint_label = fresh.blueprint_label, user_label = fresh.user_label "
                "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) "
                "AS fresh(id, record_json, search_text, blueprint_label, user_label) "
                "WHERE devices_device.id = fresh.id",
                [list(pks), *(list(column) for column in zip(*rows, strict=True))],
            )
        else:
            cursor.executemany(
                "UPDATE devices_device SET record_json = %s, search_text = %s, blueprint_label = %s, user_label = %s "
                "WHERE id = %s",
                [(*fresh, pk) for pk, fresh in texts],
            )

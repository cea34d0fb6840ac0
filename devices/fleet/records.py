"""Prepared records: the JSON text that `GET /devices` and `GET /devices/{id}` answer for a device.

The text is rendered when something in it changes, in the transaction that changes it, so that a list of 300 devices is
300 texts joined. `facts.FACTS` says what a record holds, and only `render` writes one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection

from devices.fleet.facts import COLUMNS, FACTS, POSITIONS, Converter, Fact, getter, unchanged
from devices.models import Device, Fleet

BATCH = 2000
_EXTENDED = "tenant__fleet__extended_records"


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


def outdated(pks: Iterable[int]) -> Iterator[tuple[int, str]]:
    """(primary key, fresh text) of those devices whose stored text is not what `render` makes of them now."""
    for batch in batched(pks, BATCH, strict=False):
        tags = defaultdict(list)
        for device, tag in Device.tags.through.objects.filter(device__in=batch).values_list("device_id", "tag__name"):
            tags[device].append(tag)
        rows = Device.objects.filter(pk__in=batch)
        for pk, stored, extended, *columns in rows.values_list("pk", "record_json", _EXTENDED, *COLUMNS):
            if (text := render(columns, tags[pk], extended=extended)) != stored:
                yield pk, text


def refresh(pks: Iterable[int]) -> int:
    """Bring these devices' stored records up to date, in the caller's transaction. Returns how many changed."""
    changed = 0
    for batch in batched(outdated(pks), BATCH, strict=False):
        _store(batch)
        changed += len(batch)
    return changed


def enable_extended_records(fleet: Fleet) -> None:
    """From now on every record of the tenant carries the three keys of Windows and Android."""
    if not fleet.extended_records:
        fleet.extended_records = True
        fleet.save(update_fields=["extended_records"])
        refresh(list(Device.objects.filter(tenant=fleet.tenant_id).values_list("pk", flat=True)))


def _store(texts: Iterable[tuple[int, str]]) -> None:
    # bulk_update builds one CASE per row, which takes seconds for what these two forms do in milliseconds.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pks, records = zip(*texts, strict=True)
            cursor.execute(
                "UPDATE devices_device SET record_json = fresh.record_json "
                "FROM unnest(%s::bigint[], %s::text[]) AS fresh(id, record_json) WHERE devices_device.id = fresh.id",
                [list(pks), list(records)],
            )
        else:
            cursor.executemany(
                "UPDATE devices_device SET record_json = %s WHERE id = %s",
                [(record, pk) for pk, record in texts],
            )

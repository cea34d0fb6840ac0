import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from access.maintenance.keys import AUDIT_KEYS, counting, fingerprints, uses
from access.management.serving import check_database


class Command(BaseCommand):
    help = (
        "Say how many stored values are under each key of IRU_TOKEN_KEYS, IRU_SECRET_KEYS and IRU_AUDIT_KEYS, and "
        "which keys can be removed. Shows fingerprints of the keys, never a key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        check_database()
        with counting():
            found = uses()
        rows = [row for setting, counts in found.items() for row in _rows(setting, counts)]
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row['setting']} key {row['key']}: {row['values']} {_unit(row)}{_remark(row)}")


def _rows(setting: str, counts: Counter[int]) -> Iterator[dict[str, Any]]:
    known = fingerprints(setting)
    newest = next(iter(known))
    for number in [*known, *sorted(set(counts) - set(known))]:
        yield {
            "setting": setting,
            "key": number,
            "fingerprint": known.get(number),
            "values": counts[number],
            "newest": number == newest,
            "removable": number in known and number != newest and not counts[number],
        }


def _unit(row: dict[str, Any]) -> str:
    return {"IRU_TOKEN_KEYS": "tokens", "IRU_SECRET_KEYS": "secrets", AUDIT_KEYS: "audit events"}[row["setting"]]


def _remark(row: dict[str, Any]) -> str:
    if row["fingerprint"] is None:
        return " (NOT CONFIGURED: they cannot be used)"
    remark = "newest" if row["newest"] else "can be removed" if row["removable"] else "still needed"
    return f" ({remark}; fingerprint {row['fingerprint']})"

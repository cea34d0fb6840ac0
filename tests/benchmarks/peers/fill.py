"""Run as a script it makes the peers' tables from records of our API, and prints a secret of each way to authenticate.

Standard input has a record on each line, in the order of the list.
"""

import hashlib
import json
import secrets
import sys
from collections.abc import Iterable
from itertools import batched
from typing import Any

import django
import orjson

BATCH = 2000
REFERENCES = ("user", "tags", "blueprint_id", "blueprint_name")
MOMENTS = ("last_check_in", "first_enrollment", "last_enrollment")


def fill(lines: Iterable[str]) -> dict[str, str]:
    """The headers with which each peer lets a client in."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection, transaction
    from knox.models import AuthToken
    from rest_framework.authtoken.models import Token
    from rest_framework_api_key.models import APIKey

    from tests.benchmarks.peers.models import ApiKey

    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
    writer = _Writer()
    with transaction.atomic():
        for batch in batched(lines, BATCH, strict=False):
            writer.write([orjson.loads(line) for line in batch])
    integration = get_user_model().objects.create_user("integration")
    key = secrets.token_hex(32)
    ApiKey._default_manager.create(digest=hashlib.sha256(key.encode()).hexdigest())
    _, knox = AuthToken.objects.create(integration)
    _, hashed = APIKey.objects.create_key(name="integration")
    token = Token.objects.create(user=integration)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return {
        "knox": f"Authorization: Token {knox}",
        "token": f"Authorization: Token {token.key}",
        "apikey": f"Authorization: Api-Key {hashed}",
        "ninja": f"X-API-Key: {key}",
    }


class _Writer:
    def __init__(self) -> None:
        self._blueprints: dict[str, Any] = {}
        self._users: dict[str, Any] = {}
        self._tags: dict[str, Any] = {}

    def write(self, records: list[dict[str, Any]]) -> None:
        from django.utils.dateparse import parse_datetime

        from tests.benchmarks.peers.models import Blueprint, Device, Tag, User

        blueprints = {record["blueprint_id"]: record["blueprint_name"] for record in records}
        users = {record["user"]["id"]: record["user"] for record in records if record["user"]}
        tags = sorted({name for record in records for name in record["tags"]} - self._tags.keys())
        for rows, known in (
            ({id: Blueprint(uuid=id, name=name) for id, name in blueprints.items()}, self._blueprints),
            (
                {
                    id: User(uuid=id, name=user["name"], email=user["email"], is_archived=user["is_archived"])
                    for id, user in users.items()
                },
                self._users,
            ),
            ({name: Tag(name=name) for name in tags}, self._tags),
        ):
            new = {key: row for key, row in rows.items() if key not in known}
            models: set[Any] = {type(row) for row in new.values()}
            for model in models:
                model._default_manager.bulk_create(new.values())
            known.update(new)
        devices = [
            Device(
                **{name: value for name, value in record.items() if name not in (*REFERENCES, *MOMENTS)},
                **{name: record[name] and parse_datetime(record[name]) for name in MOMENTS},
                blueprint=self._blueprints[record["blueprint_id"]],
                user=self._users[record["user"]["id"]] if record["user"] else None,
            )
            for record in records
        ]
        Device._default_manager.bulk_create(devices)
        through = Device.tags.through
        through.objects.bulk_create(
            through(device_id=device.pk, tag_id=self._tags[name].pk)
            for device, record in zip(devices, records, strict=True)
            for name in record["tags"]
        )


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(fill(sys.stdin)) + "\n")

"""Sessions in the database, under a digest of their key, so that a copy of the table opens no session."""

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import DatabaseError
from django.utils import timezone

from access.database import Failure, drop_if_read_only, failure_of


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Any:
        row = self.model.objects.filter(
            session_key=stored_key(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return self.model.objects.filter(session_key=stored_key(session_key)).exists()

    def create_model_instance(self, data: Any) -> Any:
        row = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        return row

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create)
        except UpdateError as error:
            # Django calls every failure a session that was deleted, and tells the person to sign in again.
            if failure_of(error.__context__) is Failure.AWAY and error.__context__ is not None:
                raise error.__context__ from error.__context__.__cause__
            raise

    def touch(self, name: str, value: int) -> None:
        """Store a value that the next request can store as well, if this one cannot.

        Reads go on while SQLite's write lock is held, or on a node of PostgreSQL that takes no writes.
        """
        modified = self.modified
        self[name] = value
        if modified:
            return  # it is saved with the rest, at the end of the request
        try:
            self.save()
        except DatabaseError as error:
            if failure_of(error) is not Failure.AWAY:
                raise
            drop_if_read_only(error)
        self.modified = False

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            self.model.objects.filter(session_key=stored_key(key)).delete()


def stored_key(session_key: str) -> str:
    """The stored form of a session key: 160 bits of SHA-256 in hexadecimal, as long as the column."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]

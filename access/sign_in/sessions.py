"""Sessions in the database, under a digest of their key, so that a copy of the table opens no session."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import DatabaseError
from django.utils import timezone

from access.database import Failure, drop_if_read_only, failure_of
from access.models import Administrator, Session

# Keys in a session: the moments of its first password, of its last one and of its last request, and where it began.
STARTED_AT = "started_at"
AUTHENTICATED_AT = "authenticated_at"
SEEN_AT = "seen"
ADDRESS = "address"
BROWSER = "browser"  # the User-Agent header
SECOND_STEP = "second_step"  # whether the person also proved to have an authenticator
LONGEST_BROWSER = 300  # characters


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

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
        row.person_id = data.get(SESSION_KEY)  # type: ignore[attr-defined] # a Session
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


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that still works. `id` is the digest of its key; `browser` is what the browser called itself."""

    id: str
    address: str
    browser: str
    started_at: datetime
    seen_at: datetime


def open_sessions(person: Administrator) -> list[OpenSession]:
    """The person's sessions that still work, the one that was used last first."""
    now = timezone.now()
    found = []
    for row in Session.objects.filter(person=person, expire_date__gt=now):
        data = SessionStore().decode(row.session_data)
        started_at, seen_at = _moment(data.get(STARTED_AT, 0)), _moment(data.get(SEEN_AT, data.get(STARTED_AT, 0)))
        idle, age = (now - seen_at).total_seconds(), (now - started_at).total_seconds()
        # A session that has lasted too long is deleted by its next request, which may never come.
        if idle <= settings.SESSION_IDLE_TIMEOUT and age <= settings.SESSION_COOKIE_AGE:
            address, browser = data.get(ADDRESS, ""), data.get(BROWSER, "")
            found.append(OpenSession(row.session_key, address, browser, started_at, seen_at))
    return sorted(found, key=lambda each: each.seen_at, reverse=True)


def end_sessions(person: Administrator, *, but: str | None = None) -> None:
    """End the sessions of the person, except the one whose key is `but`. Their next request is that of a stranger."""
    sessions = Session.objects.filter(person=person)
    (sessions.exclude(session_key=stored_key(but)) if but else sessions).delete()


def end_session(person: Administrator, id: str) -> None:
    """End one session of the person. Raises Session.DoesNotExist."""
    Session.objects.get(person=person, session_key=id).delete()


def _moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def stored_key(session_key: str) -> str:
    """The stored form of a session key: 160 bits of SHA-256 in hexadecimal, as long as the column."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]

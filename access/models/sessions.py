from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from access.models.admins import Administrator


class Session(AbstractBaseSession):
    """A browser's session, under a digest of its key. `person` is who has signed in by it."""

    person = models.ForeignKey(Administrator, on_delete=models.CASCADE, null=True, related_name="sessions")

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_module(settings.SESSION_ENGINE).SessionStore

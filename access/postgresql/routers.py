"""Django's questions about the primary and its replica."""

from typing import Any


class OneData:
    """The replica has the rows of the primary: they may refer to each other. Migrations run on the primary alone."""

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from psycopg import sql

from access.management.serving import check_connection, one_line
from access.postgresql.pooler import find_pooler


class Command(BaseCommand):
    help = (
        "PostgreSQL: store the limits of requests (statement_timeout and others) with the role and the database of "
        "DATABASE_URL, so that they also hold behind a pooler. New connections have them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("SQLite has no roles. Its limits are in the settings.")
        check_connection()
        if find_pooler():
            raise CommandError("A pooler stands before PostgreSQL. Give this command a DATABASE_URL of the database.")
        try:
            with connection.cursor() as cursor:
                for name, value in settings.IRU_DATABASE_LIMITS.items():
                    cursor.execute(
                        sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}").format(
                            sql.Identifier(connection.settings_dict["NAME"]), sql.Identifier(name), sql.Literal(value)
                        )
                    )
                cursor.execute("SELECT current_user")
                (role,) = cursor.fetchone()
        except DatabaseError as error:
            raise CommandError(f"The role cannot be changed: {one_line(error)}") from None
        limits = ", ".join(f"{name} {value}" for name, value in settings.IRU_DATABASE_LIMITS.items())
        self.stdout.write(f"The role {role} has these limits now: {limits}. Restart the pooler and the servers.")

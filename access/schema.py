"""Migrations: those that the database lacks, the limits that they lift, an operation that creates many models."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.operations.models import CreateModel


class Migrations(NamedTuple):
    """`missing`: how many are not applied. `unknown`: applied ones that this version does not have."""

    missing: int
    unknown: list[tuple[str, str]]


def compare_migrations() -> Migrations:
    """Compare this version with the database. It takes about 0.1 s."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    missing = len(executor.migration_plan(loader.graph.leaf_nodes()))
    return Migrations(missing, sorted(set(loader.applied_migrations) - set(loader.disk_migrations)))


def lift_limits(using: str, **kwargs: Any) -> None:
    """Before migrations: a transaction may compute as long as it does. Filling a large table takes minutes.

    The limit to waiting for a lock stays: requests would queue up behind a change of a table that waits.
    """
    _execute(using, "SET idle_in_transaction_session_timeout = 0")


def restore_limits(using: str, **kwargs: Any) -> None:
    """After migrations: the limits of the settings."""
    _execute(using, "RESET idle_in_transaction_session_timeout")


def _execute(using: str, statement: str) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(statement)


class CreateModels(Operation):
    """Create the models of `operations`, with the fields, indexes and constraints that later operations add.

    For every operation Django renders each model again that is related to the changed one, and nearly all models here
    are related through their tenant. That took half of the time of a new database. Here each model is rendered once.
    """

    category = OperationCategory.ADDITION
    reversible = True
    reduces_to_sql = True

    def __init__(self, operations: Sequence[Any]) -> None:
        self.operations = operations
        self._names = [each.name for each in operations if isinstance(each, CreateModel)]

    def state_forwards(self, app_label: str, state: Any) -> None:
        state.__dict__.pop("apps", None)  # the next use renders the models again
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for model in self._models(app_label, schema_editor, to_state):
            schema_editor.create_model(model)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for model in reversed(self._models(app_label, schema_editor, from_state)):
            schema_editor.delete_model(model)

    def describe(self) -> str:
        return f"Create models {', '.join(self._names)}"

    def _models(self, app_label: str, schema_editor: Any, state: Any) -> list[Any]:
        models = [state.apps.get_model(app_label, name) for name in self._names]
        return [model for model in models if self.allow_migrate_model(schema_editor.connection.alias, model)]

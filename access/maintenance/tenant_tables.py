"""The tables that have rows of tenants, read from the models: a new model is among them once it is declared."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from django.apps import apps
from django.db.models import CASCADE, BinaryField, Field, ForeignKey, Model, QuerySet

from access.models import Tenant

# Columns that never leave the database, by table: digests and hashes, keys of sessions and links, and texts that only
# this server can decrypt. An app adds those of its own tables. Binary columns are all encrypted, and left out too.
kept_back: dict[str, set[str]] = {
    "access.ApiToken": {"digest", "previous_digest"},
    "access.Administrator": {"password"},
    "access.Session": {"session_key", "session_data"},
    "account.EmailConfirmation": {"key"},
    "mfa.Authenticator": {"data"},
    "socialaccount.SocialToken": {"token", "token_secret"},
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of tenants. `path` leads from a row to its tenant, such as `device__tenant`."""

    model: type[Model]
    path: str

    @property
    def label(self) -> str:
        return self.model._meta.label

    @property
    def columns(self) -> list[str]:
        """The columns that may leave the database."""
        return [field.attname for field in self._fields() if not self._is_kept_back(field)]

    @property
    def left_out(self) -> list[str]:
        return [field.attname for field in self._fields() if self._is_kept_back(field)]

    def every(self) -> "QuerySet[Any]":
        """The rows of all tenants, also those that the model's own manager hides."""
        return self.model._base_manager.order_by("pk")  # noqa: SLF001 - Django documents it

    def rows(self, tenant: Tenant) -> "QuerySet[Any]":
        """The rows of a tenant, by their primary keys."""
        return self.every().filter(**{self.path: tenant.pk})

    def batches(self, tenant: Tenant, columns: list[str], size: int) -> Iterator[list[dict[str, Any]]]:
        """The rows of a tenant, so many at a time. Each batch is a query of its own, which takes little time."""
        rows = after = self.rows(tenant)
        while found := list(after.values("pk", *columns)[:size]):
            last = [row.pop("pk") for row in found][-1]
            yield found
            after = rows.filter(pk__gt=last)

    def _fields(self) -> "list[Field[Any, Any]]":
        return list(self.model._meta.concrete_fields)

    def _is_kept_back(self, field: "Field[Any, Any]") -> bool:
        return isinstance(field, BinaryField) or field.attname in kept_back.get(self.label, ())


@cache
def tables() -> list[Table]:
    """Every table with rows of tenants, a table before those that refer to it. The first is that of tenants itself."""
    paths: dict[type[Model], str] = {Tenant: "pk"}
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    growing = True
    while growing:  # one more step away from the tenant each time, so that the shortest path is found
        found = {model: path for model in models if model not in paths and (path := _path(model, paths))}
        paths.update(found)
        growing = bool(found)
    order = TopologicalSorter({model: _parents(model, paths) for model in paths}).static_order()
    return [Table(model, paths[model]) for model in order]


def _path(model: type[Model], paths: dict[type[Model], str]) -> str:
    for field in _references(model):
        if field.related_model is Tenant:
            return field.name
    for field in _references(model):
        # A row that is deleted with another one belongs to it.
        if field.related_model in paths and field.remote_field.on_delete is CASCADE:
            return f"{field.name}__{paths[field.related_model]}"
    return ""


def _parents(model: type[Model], paths: dict[type[Model], str]) -> set[Any]:
    return {field.related_model for field in _references(model)} & paths.keys() - {model}


def _references(model: type[Model]) -> "list[ForeignKey[Any, Any]]":
    return [field for field in model._meta.local_fields if isinstance(field, ForeignKey)]

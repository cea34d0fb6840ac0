"""The changes that a bulk action makes to library items: assign them to a Blueprint, or remove them from it."""

from abc import ABC
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import QuerySet

from access.audit.events import Actor
from access.models import Tenant
from access.roles import Capability
from devices.bulk.changes import Change, Skip, Skipped, Stored
from devices.library.assignment import assign_library_item, remove_library_item
from devices.models import AssignmentNode, Blueprint, BulkAction, LibraryItem

ASSIGNED, NOT_ASSIGNED = "Already on this Blueprint.", "Not on this Blueprint."


@dataclass(frozen=True, slots=True)
class _ItemChange(Change[LibraryItem], ABC):
    """A change at a Blueprint. `node` is the branch of an assignment map; None for a Blueprint without branches."""

    tenant: Tenant
    blueprint: Blueprint
    node: AssignmentNode | None = None

    capability = Capability.EDIT_BLUEPRINTS

    @property
    def place(self) -> str:
        return f"“{self.blueprint.name}”{f', “{self.node.name}”' if self.node else ''}"

    def stored(self) -> Stored:
        return Stored({"blueprint": str(self.blueprint.uuid)} | ({"node": str(self.node.uuid)} if self.node else {}))

    @classmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        ids = stored.parameters
        blueprint = tenant.blueprints.select_for_update().get(uuid=ids["blueprint"])
        return cls(tenant, blueprint, blueprint.nodes.get(uuid=ids["node"]) if "node" in ids else None)

    def lock(self, uuids: Iterable[UUID]) -> dict[UUID, LibraryItem]:
        # Items are not locked: assigning them locks only the Blueprint.
        return {item.uuid: item for item in self.tenant.library_items.filter(uuid__in=list(uuids))}

    def _assigned(self) -> QuerySet[Any, Any]:
        return self.blueprint.assignments.filter(node=self.node).values("library_item")

    def _arguments(self, target: LibraryItem, actor: Actor) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "blueprint_id": self.blueprint.uuid,
            "library_item_id": target.uuid,
            "node_id": self.node.uuid if self.node else None,
            "actor": actor,
        }


class AssignItem(_ItemChange):
    kind = BulkAction.Kind.ASSIGN_ITEM

    @property
    def label(self) -> str:
        return f"Assign to {self.place}"

    def expected_skips(self, targets: QuerySet[LibraryItem]) -> Iterator[Skip]:
        yield Skip(targets.filter(pk__in=self._assigned()).count(), ASSIGNED)

    def apply(self, target: LibraryItem, actor: Actor) -> None:
        if self._assigned().filter(library_item=target).exists():
            raise Skipped(ASSIGNED)
        assign_library_item(**self._arguments(target, actor))


class RemoveItem(_ItemChange):
    kind = BulkAction.Kind.REMOVE_ITEM

    @property
    def label(self) -> str:
        return f"Remove from {self.place}"

    def expected_skips(self, targets: QuerySet[LibraryItem]) -> Iterator[Skip]:
        yield Skip(targets.exclude(pk__in=self._assigned()).count(), NOT_ASSIGNED)

    def apply(self, target: LibraryItem, actor: Actor) -> None:
        if not self._assigned().filter(library_item=target).exists():
            raise Skipped(NOT_ASSIGNED)
        remove_library_item(**self._arguments(target, actor))

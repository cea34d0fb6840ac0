"""The changes that a bulk action makes to each of its devices, with the same functions as for a single device."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

from django.db.models import Count, Model, QuerySet

from access.audit.events import Actor
from access.models import Tenant
from access.roles import Capability
from devices.commands import COMMANDS, Command
from devices.commands.queue import send_command
from devices.fleet.devices import update_device
from devices.fleet.tags import create_tag
from devices.models import Blueprint, BulkAction, Device, DeviceCommand, Platform, Tag, User

IN_BLUEPRINT = "Already in this Blueprint."
ASSIGNED, UNASSIGNED = "Already assigned to this user.", "Already without a user."
TAGGED, UNTAGGED = "Already has this tag.", "Does not have this tag."
NOT_LOST = "Not in Lost Mode."


class Skipped(Exception):
    """The target needs no change. The message is the reason."""


class Skip(NamedTuple):
    """A reason, and the number of selected targets that would be skipped for it now."""

    number: int
    reason: str


class Stored(NamedTuple):
    """A change in its stored form: plain values, and the body of a command, which may hold a secret."""

    parameters: dict[str, Any]
    body: bytes | None = None


class Change[T: Model](ABC):
    """One kind of change, with its parameters. `T` is the type of its targets: a device or a library item."""

    kind: ClassVar[BulkAction.Kind]
    capability: ClassVar[Capability]
    tenant: Tenant

    @property
    @abstractmethod
    def label(self) -> str:
        """The change in words, for people."""

    @abstractmethod
    def stored(self) -> Stored:
        """The stored form, from which `restore` makes the change again."""

    @classmethod
    @abstractmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        """The change of a stored action; its tag or Blueprint is locked. Raises ObjectDoesNotExist if it is deleted."""

    def prepare(self, actor: Actor) -> None:  # noqa: B027 - most changes need no preparation
        """Create objects that the change refers to and that do not exist yet, in the caller's transaction."""

    @abstractmethod
    def expected_skips(self, targets: QuerySet[T]) -> Iterator[Skip]:
        """The skips to expect now. Others may follow, because the state of a target decides when its turn comes."""

    @abstractmethod
    def lock(self, uuids: Iterable[UUID]) -> dict[UUID, T]:
        """The objects with these ids that still exist, locked in a fixed order if the change locks them."""

    @abstractmethod
    def apply(self, target: T, actor: Actor) -> None:
        """Make the change. Raises Skipped, a Refusal or ValidationError."""


class DeviceChange(Change[Device], ABC):
    capability = Capability.EDIT_DEVICES

    def lock(self, uuids: Iterable[UUID]) -> dict[UUID, Device]:
        # Lock all devices of a group before the first audit event. Other changes lock their device before the head of
        # the trail: in another order, they and this transaction would wait for each other.
        found = self.tenant.devices.select_for_update().defer("record_json").filter(uuid__in=list(uuids))
        return {device.uuid: device for device in found.order_by("pk")}


@dataclass(frozen=True, slots=True)
class SendCommand(DeviceChange):
    tenant: Tenant
    command: Command[Any]
    arguments: Any = None  # the body, in the type that the command declares

    kind = BulkAction.Kind.COMMAND
    capability = Capability.ACT_ON_DEVICES

    @property
    def label(self) -> str:
        return self.command.title

    def stored(self) -> Stored:
        body = self.arguments and self.arguments.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return Stored({"command": self.command.id}, body)

    @classmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        command = COMMANDS.get(stored.parameters["command"])
        if command is None:  # an upgrade removed the command
            raise DeviceCommand.DoesNotExist
        body = command.body.model_validate_json(stored.body) if command.body and stored.body else None
        return cls(tenant, command, body)

    def expected_skips(self, targets: QuerySet[Device]) -> Iterator[Skip]:
        for platform, count in by_platform(targets).items():
            if platform not in self.command.platforms:
                yield Skip(count, _not_for(platform))
        able = targets.filter(platform__in=self.command.platforms)
        if self.command.only_in_lost_mode:
            yield Skip(able.filter(lost_mode_status="").count(), NOT_LOST)
        waiting = self.tenant.device_commands.filter(status__in=DeviceCommand.UNFINISHED, command=self.command.id)
        yield Skip(able.filter(pk__in=waiting.values("device")).count(), self.command.already_running)

    def apply(self, target: Device, actor: Actor) -> None:
        if target.platform not in self.command.platforms:
            raise Skipped(_not_for(target.platform))
        if self.command.only_in_lost_mode and not target.lost_mode_status:
            raise Skipped(NOT_LOST)
        send_command(tenant=self.tenant, device_id=target.uuid, command=self.command, body=self.arguments, actor=actor)


@dataclass(slots=True)
class _TagChange(DeviceChange, ABC):
    tenant: Tenant
    tag: Tag

    def stored(self) -> Stored:
        return Stored({"tag": str(self.tag.uuid)})

    @classmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        # Locked before the devices, as in renaming a tag. `no_key`: other changes may still add the tag to devices.
        return cls(tenant, tenant.tags.select_for_update(no_key=True).get(uuid=stored.parameters["tag"]))

    def _tags(self, target: Device) -> set[str]:
        return set(target.tags.values_list("name", flat=True))

    def _set(self, target: Device, tags: set[str], actor: Actor) -> None:
        update_device(tenant=self.tenant, device_id=target.uuid, actor=actor, tags=sorted(tags))


class AddTag(_TagChange):
    """Adds a tag. A tag that does not exist yet is created when the action starts."""

    kind = BulkAction.Kind.ADD_TAG

    @property
    def label(self) -> str:
        return f"Add tag “{self.tag.name}”"

    def prepare(self, actor: Actor) -> None:
        if not self.tag.pk:
            stored = self.tenant.tags.filter(name=self.tag.name).first()
            self.tag = stored or create_tag(tenant=self.tenant, name=self.tag.name, actor=actor)

    def expected_skips(self, targets: QuerySet[Device]) -> Iterator[Skip]:
        if not self.tag.pk:
            return
        yield Skip(targets.filter(pk__in=self.tag.devices.values("pk")).count(), TAGGED)

    def apply(self, target: Device, actor: Actor) -> None:
        tags = self._tags(target)
        if self.tag.name in tags:
            raise Skipped(TAGGED)
        self._set(target, tags | {self.tag.name}, actor)


class RemoveTag(_TagChange):
    kind = BulkAction.Kind.REMOVE_TAG

    @property
    def label(self) -> str:
        return f"Remove tag “{self.tag.name}”"

    def expected_skips(self, targets: QuerySet[Device]) -> Iterator[Skip]:
        yield Skip(targets.exclude(pk__in=self.tag.devices.values("pk")).count(), UNTAGGED)

    def apply(self, target: Device, actor: Actor) -> None:
        tags = self._tags(target)
        if self.tag.name not in tags:
            raise Skipped(UNTAGGED)
        self._set(target, tags - {self.tag.name}, actor)


@dataclass(frozen=True, slots=True)
class AssignBlueprint(DeviceChange):
    tenant: Tenant
    blueprint: Blueprint

    kind = BulkAction.Kind.ASSIGN_BLUEPRINT

    @property
    def label(self) -> str:
        return f"Assign Blueprint “{self.blueprint.name}”"

    def stored(self) -> Stored:
        return Stored({"blueprint": str(self.blueprint.uuid)})

    @classmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        # Locked before the devices, as in `update_device`.
        return cls(tenant, tenant.blueprints.select_for_update().get(uuid=stored.parameters["blueprint"]))

    def expected_skips(self, targets: QuerySet[Device]) -> Iterator[Skip]:
        yield Skip(targets.filter(blueprint=self.blueprint).count(), IN_BLUEPRINT)

    def apply(self, target: Device, actor: Actor) -> None:
        if target.blueprint_id == self.blueprint.pk:
            raise Skipped(IN_BLUEPRINT)
        update_device(tenant=self.tenant, device_id=target.uuid, actor=actor, blueprint=self.blueprint.uuid)


@dataclass(frozen=True, slots=True)
class AssignUser(DeviceChange):
    """Assigns the devices to a user, or with None to no user."""

    tenant: Tenant
    user: User | None

    kind = BulkAction.Kind.ASSIGN_USER

    @property
    def label(self) -> str:
        return f"Assign user “{self.user.name or self.user.email}”" if self.user else "Unassign user"

    def stored(self) -> Stored:
        return Stored({"user": str(self.user.uuid) if self.user else None})

    @classmethod
    def restore(cls, tenant: Tenant, stored: Stored) -> Self:
        id = stored.parameters["user"]
        # Locked before the devices, as in `update_device`.
        return cls(tenant, tenant.users.select_for_update().get(uuid=id) if id else None)

    def expected_skips(self, targets: QuerySet[Device]) -> Iterator[Skip]:
        yield Skip(targets.filter(user=self.user).count(), ASSIGNED if self.user else UNASSIGNED)

    def apply(self, target: Device, actor: Actor) -> None:
        if target.user_id == (self.user and self.user.pk):
            raise Skipped(ASSIGNED if self.user else UNASSIGNED)
        update_device(
            tenant=self.tenant, device_id=target.uuid, actor=actor, user=self.user.uuid if self.user else None
        )


def by_platform(devices: QuerySet[Device]) -> dict[str, int]:
    """The number of devices of each family, the largest number first."""
    counts = devices.order_by().values("platform").annotate(number=Count("pk")).values_list("platform", "number")
    return dict(sorted(counts, key=lambda each: (-each[1], each[0])))


def _not_for(platform: str) -> str:
    return f"{Platform(platform).label} devices do not take this command."

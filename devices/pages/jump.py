"""What the search over all pages (⌘K) finds on the device side: devices, their commands, and other objects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from urllib.parse import urlencode

from django.db.models.functions import Upper
from django.urls import reverse

from access.http.jump import HITS, Hit, Question, Source, begins, every, named
from access.models import Tenant
from access.roles import Capability, may
from access.search import matches, rank, searchable, words_of
from devices.api import api
from devices.api.routing import Operation
from devices.commands import COMMANDS
from devices.library.kinds import kind_of
from devices.models import Device, Fleet, Platform, User
from devices.pages.command_menu import command_menu, entries_of

READ = ("uuid", "name", "serial_number", "model", "platform", "lost_mode_status", "user__name", "user__email")
GENERIC = "device"  # a word of most actions, which says nothing about which of them is meant
SCANNED = 5_000  # devices, above which users are found only by the beginning of their address
CANDIDATES = 500  # devices that match, of which the first by name are shown
EVERY = frozenset(Platform)
SHORTEST = 3  # letters with which a word can begin the word of an action: "loc" for "lock"


@dataclass(frozen=True, slots=True)
class Action:
    """A command, or what else the menu of a device offers. `names` are the words by which people ask for it."""

    command: str  # its id; empty for the deletion of the record
    label: str
    icon: str
    danger: bool
    platforms: frozenset[Platform]
    names: tuple[str, ...]
    query: str = ""

    def hit(self, device: Device) -> Hit:
        if self.command:
            url = reverse("device-action", args=[device.uuid, COMMANDS[self.command].action]) + self.query
        else:
            url = reverse("device-delete", args=[device.uuid])
        return Hit(f"{self.label}: {_name(device)}", url, self.icon, device.serial_number, True, self.danger)

    def unsaid(self, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The words that do not name the action; None where none does."""
        said = [word for word in words if len(word) >= SHORTEST and any(map(str.startswith, self.names, repeat(word)))]
        return tuple(word for word in words if word not in said) if set(said) - {GENERIC} else None


def find_devices(tenant: Tenant, words: tuple[str, ...], platforms: frozenset[Platform] = EVERY) -> list[Device]:
    """At most HITS devices, found as in their list. First are the serial numbers that begin with the text."""
    text = " ".join(words)
    devices = tenant.devices.select_related("user").only(*READ)
    if platforms != EVERY:
        devices = devices.filter(platform__in=platforms)
    serials = devices.exclude(serial_number="").alias(upper=Upper("serial_number"))
    found = {device.pk: device for device in serials.filter(begins("upper", text.upper())).order_by("upper")[:HITS]}
    if len(found) < HITS and not any(device.serial_number.casefold() == text for device in found.values()):
        # The keys come from the index of the search alone: a condition on another column would read all rows.
        keys = tenant.devices.order_by().with_words(text).values_list("pk", flat=True)[:CANDIDATES]
        found |= {device.pk: device for device in devices.filter(pk__in=list(keys)).order_by("name", "pk")[:HITS]}
    return list(found.values())[:HITS]


def _find_users(tenant: Tenant, words: tuple[str, ...]) -> list[User]:
    """At most HITS users in whose name or e-mail address every word occurs. First are addresses that begin so.

    In a fleet of more than SCANNED devices no others are found.
    """
    users = tenant.users.only("uuid", "name", "email", "archived").order_by("email", "pk")
    found = {user.pk: user for user in users.filter(begins("email", ".".join(words)))[:HITS]}
    if len(found) < HITS and _scannable(tenant):
        found |= {user.pk: user for user in users.filter(every(words, "name", "email"))[:HITS]}
    return list(found.values())[:HITS]


def _scannable(tenant: Tenant) -> bool:
    count = Fleet.objects.filter(tenant=tenant).values_list("device_count", flat=True).first()
    return (count or 0) <= SCANNED


def _asked(question: Question) -> tuple[list[Action], tuple[str, ...], list[Device]]:
    """The actions that some words name, the other words, and the devices that those name: `lock aino`.

    Without an action, all words are for the devices.
    """
    chosen, words, platforms = list[Action](), question.words, EVERY
    asked = [(action, rest) for action in actions() if (rest := action.unsaid(question.words))]
    if asked and may(question.person, Capability.ACT_ON_DEVICES):
        words = min((rest for _, rest in asked), key=len)
        chosen = [action for action, rest in asked if rest == words]
        platforms = frozenset().union(*(action.platforms for action in chosen))
    return chosen, words, question.once(find_devices, words, platforms)


def _actions(question: Question) -> Iterator[Hit]:
    chosen, _, devices = _asked(question)
    for device in devices if chosen else []:
        offered = {command.id for group in command_menu(device) for command in group.commands} | {""}
        yield from (action.hit(device) for action in chosen if action.command in offered)


def _devices(question: Question) -> Iterator[Hit]:
    _, words, devices = _asked(question)
    for device in devices:
        person = (device.user.name or device.user.email) if device.user else ""
        about = " · ".join(filter(None, (device.serial_number, person)))
        yield Hit(_name(device), reverse("device", args=[device.uuid]), "monitor", about)
    yield from _all(question, "devices", words, len(devices))


def _users(question: Question) -> Iterator[Hit]:
    users = _find_users(question.tenant, question.words)
    for user in users:
        about = f"{user.email} · archived" if user.archived else user.email
        yield Hit(user.name or user.email, reverse("user", args=[user.uuid]), "user-round", about)
    yield from _all(question, "users", question.words, len(users))


def _all(question: Question, plural: str, words: tuple[str, ...], found: int) -> Iterator[Hit]:
    """The search of the list, where it may find more."""
    if words and (found >= HITS or (plural == "users" and not question.once(_scannable))):
        text = " ".join(words)
        url = f"{reverse(plural)}?{urlencode({'q': text})}"
        yield Hit(f"Search all {plural} for “{text}”", url, "search")


def _blueprints(question: Question) -> Iterator[Hit]:
    for blueprint in named(question.tenant.blueprints.only("uuid", "name"), question, "name"):
        yield Hit(blueprint.name, reverse("blueprint", args=[blueprint.uuid]), "layout-grid")


def _items(question: Question) -> Iterator[Hit]:
    for item in named(question.tenant.library_items.only("uuid", "name", "type"), question, "name"):
        kind = kind_of(item)
        yield Hit(item.name, reverse("library-item", args=[item.uuid]), kind.icon, kind.label)


def _operations(question: Question) -> Iterator[Hit]:
    words = words_of(question.text)
    found = [operation for operation, text in operations() if matches(words, text)]
    for operation in sorted(found, key=lambda operation: rank(question.text, operation.label)):
        url = reverse("reference-operation", args=[operation.id])
        yield Hit(operation.label, url, "code-xml", f"{operation.method} {operation.path}")


@cache
def actions() -> list[Action]:
    """Every action, in the order of the permission editor; the deletion of the record is last."""
    offered = [
        Action(
            command.id,
            entry.title,
            command.icon,
            command.dangerous,
            command.platforms,
            tuple(searchable([entry.title, command.label]).split()),
            entry.query,
        )
        for command in COMMANDS.values()
        for entry in entries_of(command)
    ]
    names = tuple(searchable(["Delete record", "Delete Device"]).split())
    return [*offered, Action("", "Delete record", "trash-2", danger=True, platforms=EVERY, names=names)]


@cache
def operations() -> list[tuple[Operation, str]]:
    """Every operation of the API, with the text in which its words are looked up."""
    return [
        (each, searchable((each.label, each.id.replace("_", " ")), each.id, each.method, each.path))
        for each in api.operations
    ]


def _name(device: Device) -> str:
    return device.name or device.serial_number


SOURCES: Iterable[Source] = (
    Source("Actions", _actions, Capability.ACT_ON_DEVICES),
    Source("Devices", _devices),
    Source("Users", _users),
    Source("Blueprints", _blueprints),
    Source("Library", _items),
    Source("API reference", _operations),
)

"""Template filters for moments, permissions and audit events."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from django import template
from django.db.models import Model
from django.template import Context, Engine, TemplateDoesNotExist
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import conditional_escape, format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe

from access.audit.subjects import subject_label
from access.models import AuditEvent
from access.permissions import Permission, catalogue

register = template.Library()
FIELD_LABELS = {"expires_at": "Expires", "networks": "Allowed networks", "longest_token_days": "Most days"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
FITS = 20  # characters of a name on two lines of the narrowest column
PART_END = re.compile(r"(?<=[\w}])[/@.](?=[\w{])")


@register.filter
def ago(moment: datetime) -> SafeString:
    """The distance of a moment from now, with the exact time in the element's title."""
    return _time(moment, relative(moment, timezone.now()))


@register.filter
def day(moment: datetime) -> SafeString:
    """The date of a moment, with the exact time in the element's title."""
    return _time(moment, _day(timezone.localtime(moment)))


@register.filter
def exactly(moment: datetime) -> SafeString:
    """A moment to the minute."""
    local = timezone.localtime(moment)
    return _time(moment, f"{_day(local)}, {local:%H:%M}")


def relative(moment: datetime, now: datetime) -> str:
    """`4 minutes ago`, `Yesterday`, `in 41 days`: one unit, the largest that fits."""
    future = moment > now
    # A minute of tolerance: what ends after 30 days is not called 29 days away a second later.
    distance = moment - now + timedelta(minutes=1) if moment - now > timedelta(hours=1) else abs(now - moment)
    if distance < timedelta(seconds=5):
        return "just now"
    for unit, size, limit in (("second", 1, 60), ("minute", 60, 3600), ("hour", 3600, 86400)):
        if distance.total_seconds() < limit:
            return _phrase(int(distance.total_seconds() // size), unit, future=future)
    if distance < timedelta(days=2):
        return "tomorrow" if future else "yesterday"
    return _phrase(distance.days, "day", future=future)


@register.filter
def labelled(codenames: list[str]) -> list[Permission | str]:
    """The permissions with these codenames in catalogue order, then the names that this version does not have."""
    return [*catalogue.known(codenames), *(codename for codename in codenames if codename not in catalogue)]


@register.filter
def pairs(fields: dict[str, Any] | None) -> list[tuple[str, Any]]:
    """The fields of an event. In a template `.items` would be the field of that name, where there is one."""
    return list(fields.items()) if fields else []


@register.filter
def on_off(switch: bool | None) -> str | None:
    """The state of a switch in an audit event; None where it had no state before."""
    return None if switch is None else "on" if switch else "off"


@register.simple_tag(takes_context=True)
def slot(context: Context, page: str, name: str) -> str:
    """The partial `name` of the template `page`, or nothing where it has none: how a page fills a component."""
    if not page:
        return ""
    engine = Engine.get_default()
    engine.get_template(page)  # the page must exist; only its partial may be missing
    try:
        partial = engine.get_template(f"{page}#{name}")
    except TemplateDoesNotExist:
        return ""
    with context.push():
        return partial.render(context)


@register.filter
def within(path: str, section: str) -> bool:
    """Whether a page belongs to a section: the section's own address, or one below it by whole segments."""
    return path == section or (section != "/" and path.startswith(f"{section.rstrip('/')}/"))


@register.filter
def breakable(text: object) -> SafeString:
    """An address, a path or an identifier, which a line ends behind one of its parts rather than within."""
    if isinstance(text, SafeString):  # markup, whose attributes must stay as they are
        return text
    return mark_safe(PART_END.sub(r"\g<0><wbr>", conditional_escape(str(text))))  # noqa: S308 - escaped


@register.filter
def full(name: object) -> str:
    """A long name as the `title` of the element that shows two lines of it. Empty for a short one: it fits."""
    # Markup is a name with its places for line breaks.
    text = unescape(strip_tags(name)) if isinstance(name, SafeString) else str(name)
    return format_html(' title="{}"', text) if len(text) > FITS else ""


@register.filter
def field_label(name: str) -> str:
    """The name of a field in an event, as people read it."""
    return FIELD_LABELS.get(name) or name.replace("_", " ").capitalize()


@register.filter
def field_value(value: Any) -> SafeString | str:
    """The value of a field in an event, as people read it: with commas, moments to the minute."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _plain(value) or "empty"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "empty"
    if isinstance(value, str) and MOMENT.fullmatch(value) and (moment := parse_datetime(value)):
        return exactly(moment)
    return str(value) if value not in {None, ""} else "empty"


@register.filter
def row_id(row: Model) -> object:
    """The id of a row in a selection: the `uuid` of it or of its device, or the primary key of a row without one."""
    return getattr(row, "uuid", None) or getattr(getattr(row, "device", None), "uuid", None) or row.pk


@register.filter
def subject_type(event: AuditEvent) -> str:
    """The type of an event's subject in words."""
    return subject_label(event.target_type)


@register.filter
def instigator(event: AuditEvent) -> str:
    """The type of an event's actor; empty for a person of the tenant."""
    return "" if event.actor_type == AuditEvent.ActorType.USER else str(event.get_actor_type_display())


def _plain(value: Any) -> str:
    """A value within a list or an object: an operation as in `GET /api/v1/devices`, others by their fields."""
    if not isinstance(value, dict):
        return str(value)
    if value.keys() == {"http_method", "path"}:
        return f"{value['http_method']} {value['path']}"
    return ", ".join(f"{field_label(name)}: {each}" for name, each in value.items())


def _phrase(number: int, unit: str, *, future: bool) -> str:
    amount = f"{number} {unit}{'' if number == 1 else 's'}"
    return f"in {amount}" if future else f"{amount} ago"


def _time(moment: datetime, text: str) -> SafeString:
    local = timezone.localtime(moment)
    title = f"{_day(local)}, {local:%H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), title, text)


def _day(local: datetime) -> str:
    # A list shows three moments in each of fifty rows, and strftime takes a sixth of the time of the filter `date`.
    return f"{local:%b} {local.day}, {local.year}"

"""The template filter that tests a capability."""

from django import template

from access.models import Administrator
from access.roles import Capability
from access.roles import may as may_do

register = template.Library()


@register.filter
def may(administrator: Administrator, capability: str) -> bool:
    """`{% if user|may:"edit_devices" %}`: whether to show a link whose view checks the capability again."""
    return may_do(administrator, Capability(capability))

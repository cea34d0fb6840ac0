from django import template

from access.models import Administrator
from access.roles import Capability
from access.roles import may as may_do

register = template.Library()


@register.filter
def may(administrator: Administrator, capability: str) -> bool:
    """`{% if user|may:"edit_devices" %}`: whether to offer what its view will check again."""
    return may_do(administrator, Capability(capability))

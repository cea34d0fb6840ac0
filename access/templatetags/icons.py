"""The icons of the lucide set, as inline SVG."""

from functools import lru_cache

from django import template
from lucide.templatetags.lucide import lucide

register = template.Library()

# lucide builds an icon from its XML at each use, and reads its archive for a new one. A page has thirty icons.
register.simple_tag(lru_cache(maxsize=512)(lucide), name="icon")

"""Django admin, the tool of the operators of an installation. Changes go through the functions of the rooms.

Django imports this package at the start; each module registers its tables.
"""

from access.admin import administrators, audit, site, tasks, tenants, tokens, webhooks

__all__ = ["administrators", "audit", "site", "tasks", "tenants", "tokens", "webhooks"]

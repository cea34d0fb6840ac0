"""The checks of `doctor`. Importing a module registers its checks, in this order."""

from access.maintenance.checks import settings, database, services, work, rows  # noqa: F401, I001 - the order is shown

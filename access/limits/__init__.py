"""How many calls a tenant may make: 50 a second and 10,000 an hour by default, over all its tokens and processes.

Both limits are GCRAs with a burst of the whole quota: a tenant that was silent may make all calls of a second, or of an
hour, at once, and they come back one by one. A client that keeps to the published limits is therefore never refused,
which a limit on fixed windows would do.

The state of a tenant is one row that all processes share (`stores.py`). A process takes several permits from it at a
time and spends them without asking again (`leases.py`).
"""

from access.limits.gcra import Limits
from access.limits.leases import Allowance, take, used
from access.limits.stores import forget

__all__ = ["Allowance", "Limits", "forget", "take", "used"]

"""The public Iru Endpoint API as data.

`contract.json` describes its operations, `permissions.json` the permissions that open them. The tests read both from
here, and fail where a file is missing.
"""

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

# Every operation of the public API by its id, which is also the codename of its permission.
OPERATIONS: dict[str, dict[str, Any]] = {row["id"]: row for row in json.loads((_HERE / "contract.json").read_text())}
# Every permission by its codename, in the order in which the permission editor of the product lists them.
PERMISSIONS: dict[str, dict[str, Any]] = {
    row["codename"]: row for row in json.loads((_HERE / "permissions.json").read_text())
}

# The vendor's former name is not in our interface. The public API still has it in this label.
RENAMED = {"Install Kandji Agent": "Install Iru Agent"}

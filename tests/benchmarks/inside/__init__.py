"""Scripts that the measurements start, each in a process with the settings of our server.

They read the database of a fleet, prepare it, or measure a part of the product without a server. Each prints JSON.
"""

import json
import logging
import sys
from typing import Any

import django


def start() -> list[str]:
    """Set Django up for a script. Returns its arguments."""
    django.setup()
    logging.disable(logging.CRITICAL)
    return sys.argv[1:]


def answer(content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")

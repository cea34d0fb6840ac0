"""Processes of the product that end themselves with SIGKILL in the middle of a named function.

`managed(…, environment=ends_itself(file))` starts one. It runs as always until `arm(file, point)` names a point, and
there it is gone, with the processes of its group, as after `kill -9`. Nothing of this is in the product: settings of
our own add an app to it, which wraps the functions.
"""

from pathlib import Path

ARMED = "IRU_TEST_KILLED_AT"  # names the file that has the point
# Where a process can end: the moment, and the function as the code that calls it finds it.
BEFORE, AFTER, AMIDST = "before", "after", "amidst"
POINTS = {
    "an upload begins": (BEFORE, "devices.files.uploads:Receiver.new_file"),
    "its bytes arrive": (AFTER, "devices.storage.embedded:Incoming.write"),
    "its bytes are on the disk": (AFTER, "devices.storage.embedded:Incoming.sync"),
    "it is in its place, and not committed": (AFTER, "devices.storage.embedded:Incoming.publish"),
    "it is committed, and not answered": (AFTER, "devices.files.uploads:_publish"),
    "it is hashed": (AMIDST, "devices.storage.checks:_digest"),
    "the .ipa is read": (AMIDST, "devices.library.ipa:read"),
    "an icon is stored": (AFTER, "devices.storage.checks:store"),
    "the check is noted": (AFTER, "devices.storage.checks:_note"),
    "an item is about to be created": (BEFORE, "devices.library.items:new_item"),
    "an item is created, and not committed": (AFTER, "devices.library.items:insert"),
    "an item is committed, and not answered": (AFTER, "devices.api.routing:Endpoint._call"),
    "a profile is received": (AFTER, "devices.api.uploads:require_files"),
    "a CSV is written": (AFTER, "devices.storage.embedded:Incoming.write"),
    "a CSV is stored": (AFTER, "devices.prism.exports:store"),
    "an export is noted": (AFTER, "devices.prism.exports:_end"),
    "a download streams": (AMIDST, "devices.files.downloads:_pieces"),
    "a file is deleted, and its row is not": (AFTER, "devices.storage.embedded:EmbeddedStorage.delete"),
}


def ends_itself(armed: Path) -> dict[str, str]:
    """What the environment of such a process has beside that of others."""
    return {"DJANGO_SETTINGS_MODULE": "tests.killing.settings", ARMED: str(armed)}


def arm(armed: Path, point: str) -> None:
    """Have the next process that comes to the point end there."""
    fresh = armed.with_suffix(".new")
    fresh.write_text(POINTS[point] and point)
    fresh.replace(armed)

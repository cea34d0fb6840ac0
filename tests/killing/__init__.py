"""Processes of the product that end themselves with SIGKILL in the middle of a named function.

`managed(…, extra=ends_itself(file))` starts one. It runs as usual until `arm(file, point)` names a point. At that point
it ends with all processes of its group, as after `kill -9`. The product has no code for this: settings of the tests add
an app that wraps the functions.
"""

from pathlib import Path

ARMED = "IRU_TEST_KILLED_AT"  # the environment variable with the path of the file that names the point
# The points at which a process can end: the moment, and the function in the module where its callers look it up.
BEFORE, AFTER, AMIDST = "before", "after", "amidst"
POINTS = {
    "an upload begins": (BEFORE, "devices.files.uploads:Receiver.new_file"),
    "its bytes arrive": (AFTER, "devices.storage.backends:Incoming.write"),
    "its bytes are on the disk": (AFTER, "devices.storage.embedded:IncomingFile.sync"),
    "it is in its place, and not committed": (AFTER, "devices.storage.embedded:IncomingFile.publish"),
    "it is committed, and not answered": (AFTER, "devices.files.uploads:publish"),
    "it is hashed": (AMIDST, "devices.storage.checks:_digest"),
    "the .ipa is read": (AMIDST, "devices.library.ipa:read"),
    "an icon is stored": (AFTER, "devices.storage.checks:store"),
    "the check is noted": (AFTER, "devices.storage.checks:_note"),
    "an item is about to be created": (BEFORE, "devices.library.items:new_item"),
    "an item is created, and not committed": (AFTER, "devices.library.items:insert"),
    "an item is committed, and not answered": (AFTER, "devices.api.routing:Endpoint._call"),
    "a profile is received": (AFTER, "devices.api.uploads:require_files"),
    "a CSV is written": (AFTER, "devices.storage.backends:Incoming.write"),
    "a CSV is stored": (AFTER, "devices.prism.exports:store"),
    "an export is noted": (AFTER, "devices.prism.exports:_end"),
    "a download streams": (AMIDST, "devices.files.downloads:_Pieces"),
    "a backup is copied": (AFTER, "access.maintenance.archive:content_of"),
    "a backup is written": (AFTER, "access.maintenance.archive:Writer.finish"),
    "a file is deleted, and its row is not": (AFTER, "devices.storage.embedded:EmbeddedStorage.delete"),
}


def ends_itself(armed: Path) -> dict[str, str]:
    """The additional environment variables of such a process."""
    return {"DJANGO_SETTINGS_MODULE": "tests.killing.settings", ARMED: str(armed)}


def arm(armed: Path, point: str) -> None:
    """Make the next process that reaches the point end there."""
    fresh = armed.with_suffix(".new")
    fresh.write_text(POINTS[point] and point)
    fresh.replace(armed)

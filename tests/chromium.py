import os
import shutil

# The shell comes first: it is Chromium without windows, and the browser tests take a fifth less time with it.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """Path of the Chromium that browser tests drive: IRU_CHROMIUM, or one on the PATH."""
    return os.environ.get("IRU_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

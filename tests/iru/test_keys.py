import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("IRU_AUDIT_KEY", ""), ("IRU_TOKEN_KEYS", "1:"), ("IRU_SECRET_KEYS", "1:"), ("SECRET_KEY", "")],
)
def test_an_example_that_was_not_filled_in_does_not_start(setting: str, value: str) -> None:
    started = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, setting: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode != 0
    assert setting in started.stderr.splitlines()[-1]

"""Scripts in processes of their own, each with the settings of one database."""

import os
import subprocess
import sys
from collections.abc import Iterable

from tests.processes import ROOT


def run_script(environment: dict[str, str], *arguments: str, lines: Iterable[str] | None = None) -> str:
    """Standard output of Python with these arguments; the script gets the lines on its standard input.

    Raises SystemExit with its messages.
    """
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL if lines is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        if process.stdin is not None and lines is not None:
            process.stdin.writelines(f"{line}\n" for line in lines)
            process.stdin.close()
        output = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}; its messages stand above.")
    return output

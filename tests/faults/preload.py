"""Libraries that stand between a program and the C library, and make it see a fault of the machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults import table


def compiled(source: str, library: Path, *, fault: str, kind: str) -> Path:
    """Compile the C source to `library`, whose path belongs into LD_PRELOAD. Skips the test without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        table.without(fault, kind, "did not run: apt-get install gcc")
        pytest.skip(f"no C compiler: nothing shows what happens: {fault}. apt-get install gcc")
    (code := library.with_suffix(".c")).write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, code, "-ldl"], check=True)
    return library

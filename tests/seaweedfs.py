"""SeaweedFS from PyPI: a server with an S3 API, which enforces the rules of a presigned form.

`tests.scratch` runs it, so it always ends with the test run, even when the run is killed.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCESS_KEY, SECRET_KEY, BUCKET = "IRUTESTS", "the tests' own secret", "iru-files"
ADDRESS = "127.0.0.1"
PORTS = [f"{part}.port{protocol}" for part in ("master", "volume", "filer", "s3") for protocol in ("", ".grpc")]
SECONDS = 60


def serve(directory: Path) -> "subprocess.Popen[bytes]":
    """Start a server and wait until it answers. Its files are in `directory`, its address in the file `url` there."""
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (directory / "data").mkdir()
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    command = [
        _program(),
        "server",
        f"-dir={directory / 'data'}",
        f"-ip={ADDRESS}",
        f"-ip.bind={ADDRESS}",
        "-s3",
        f"-s3.config={directory / 's3.json'}",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=50",
        # These two would listen on fixed ports, so that the second of two workers' servers could not start.
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://{ADDRESS}:{ports['s3.port']}"
    deadline = time.monotonic() + SECONDS
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise SystemExit((directory / "log").read_text())
        time.sleep(0.1)
    (directory / "url").write_text(url)
    return server


def _program() -> str:
    program = Path(sys.executable).with_name("weed")
    return str(program) if program.exists() else shutil.which("weed") or "weed"


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server((ADDRESS, 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 403  # without a signature
    except OSError:
        return False

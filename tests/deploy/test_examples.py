"""The files under deploy/ agree with the code, and the programs that they are for can read them."""

import ipaddress
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from access.http.health import HealthMiddleware
from access.management.serving import Server
from devices.mdm.door import HANDLERS
from tests.browser.servers import free_port
from tests.deploy import NO_PROGRAM, nginx

pytestmark = pytest.mark.sqlite_only  # about files, which are the same on both

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PRODUCT = {name: service for name, service in SERVICES.items() if service["image"] == "iru-endpoint"}
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
SETTINGS = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
DEFAULTS = Server(address="", port=0)


def parsed(arguments: list[str]) -> Any:
    """The options of a command of manage.py. Ends the test if the command does not have them."""
    name, *rest = arguments
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(rest)


# --- nginx ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    if nginx.program() is None:
        pytest.skip(NO_PROGRAM)
    command = nginx.prepared(tmp_path, 8000).command("-t")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "[warn]" not in run.stderr.replace('[warn] the "user" directive', "")


def test_the_limits_of_nginx_are_those_of_the_server() -> None:
    text = nginx.EXAMPLE.read_text()
    (kept,) = re.findall(r"keepalive_timeout (\d+)s;  # less than", text)
    assert int(kept) < DEFAULTS.header_timeout, "nginx would send on a connection that the server closes"
    assert "server 127.0.0.1:8000;" in text
    assert parsed(["serve"]).port == 8000
    pages, devices, files = sorted(int(size) for size in re.findall(r"client_max_body_size (\d+)m;", text))
    assert devices * 1024**2 > HANDLERS["/connect"].maximum
    assert pages * 1024**2 > settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "the server answers 413 itself"
    assert files * 1024**2 > settings.IRU_FILES_MAXIMUM
    _, *locations = re.split(r"^    location ", text, flags=re.MULTILINE)
    assert all("proxy_pass http://iru;" in each for each in locations)
    assert not [each for each in locations if "proxy_set_header" in each], "it would get none of the server's"


KEY = "eyJsaW5rIjo1fQ:s3cr3t"
WITH_A_KEY = [
    *(f"/enroll/{KEY}", f"/enroll/{KEY}/", f"/enroll/{KEY}/profile/?again=1", f"/%65nroll/{KEY}/", f"//enroll/{KEY}/"),
    *(f"/invitation/{KEY}/", f"/password/reset/3f-{KEY}/", f"/files/f.12.{KEY}"),
]


@pytest.mark.slow
def test_the_logs_of_nginx_have_no_key_of_a_link(tmp_path: Path) -> None:
    """Also while the server is away, when nginx logs the address of each request that it could not pass on."""
    if nginx.program() is None:
        pytest.skip(NO_PROGRAM)
    with nginx.serving(tmp_path, free_port()) as (proxy, _), httpx.Client(verify=proxy.trust()) as client:
        for path in [*WITH_A_KEY, "/password/reset/sent/", "/devices/?q=mac"]:
            url, name = f"https://127.0.0.1:{proxy.tls}{path}", {"sni_hostname": nginx.DOMAIN}
            assert client.get(url, headers={"Host": nginx.DOMAIN}, extensions=name).status_code == 502
    accesses, errors = ((tmp_path / name).read_text() for name in ("access.log", "error.log"))
    assert KEY not in accesses + errors
    assert accesses.count('"GET /enroll/[key] HTTP/1.1" 502') == 5
    for line in (
        "/invitation/[key]",
        "/files/[key]",
        "/password/reset/[key]",
        "/password/reset/sent/",
        "/devices/?q=mac",
    ):
        assert f'"GET {line} HTTP/1.1" 502' in accesses
    assert "/devices/?q=mac" in errors, "other addresses are logged"


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iru.service", "iru-worker@.service"])
def test_a_unit_starts_a_command_with_options_that_it_has(name: str) -> None:
    text = (DEPLOY / name).read_text()
    (started,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    (place,) = re.findall(r"^WorkingDirectory=(.+)$", text, re.MULTILINE)
    program, script, *arguments = shlex.split(started)
    assert (program, script) == (f"{place}/.venv/bin/python", "manage.py")
    assert parsed(arguments)
    assert f"{place}/deploy/{name}" in (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip(NO_PROGRAM)
    for name in ("iru.service", "iru-worker@.service"):
        text = (DEPLOY / name).read_text().replace("/srv/iru/app/.venv/bin/python", shutil.which("true") or "")
        (tmp_path / name.replace("@", "@1")).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if str(tmp_path) in line or "iru" in line.partition(":")[0]]
    assert (run.returncode, said) == (0, [])


# --- Containers -------------------------------------------------------------------------------------------------------


def test_compose_names_settings_that_exist() -> None:
    named = {name for service in PRODUCT.values() for name in service["environment"]}
    named |= set(SERVICES["proxy"]["environment"])
    assert named <= SETTINGS
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (DEPLOY / "compose.yml").read_text()))
    assert asked == {"POSTGRES_PASSWORD", "IRU_DOMAIN"}
    for name in asked - SETTINGS:
        assert f"'{name}=" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(PRODUCT))
def test_a_container_of_the_product_can_do_little(name: str) -> None:
    service = PRODUCT[name]
    assert parsed(service["command"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert service["volumes"] == ["files:/data"]


def test_only_the_proxy_is_reached_from_outside_and_only_it_is_believed() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
    assert {service["environment"]["IRU_TRUSTED_PROXIES"] for service in PRODUCT.values()} == {address}
    (network,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(network["subnet"])
    script = SERVICES["proxy"]["command"][2]
    assert r"s/127\.0\.0\.1:8000/web:8000/" in script
    assert {"web", "database"} <= set(SERVICES)
    assert all("back" in service["networks"] for service in [*PRODUCT.values(), SERVICES["database"]])
    assert COMPOSE["networks"]["back"]["internal"] is True


def test_the_server_of_the_containers_is_ready_before_the_proxy_and_stops_in_time() -> None:
    web = SERVICES["web"]
    options = parsed(web["command"])
    assert options.host == "0.0.0.0"
    assert options.drain + options.kill_timeout < int(web["stop_grace_period"].rstrip("s"))
    assert f"http://127.0.0.1:{options.port}/readyz" in web["healthcheck"]["test"][3]
    assert HealthMiddleware.__module__ in " ".join(settings.MIDDLEWARE)
    assert SERVICES["proxy"]["depends_on"]["web"]["condition"] == "service_healthy"
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_is_of_our_python_and_has_no_secret() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    assert re.search(rf"^ARG PYTHON=docker\.io/library/python:{re.escape(version)}-slim", CONTAINERFILE, re.MULTILINE)
    assert re.findall(r"^USER (.+)$", CONTAINERFILE, re.MULTILINE) == ["10001"]
    kept = re.findall(r"^(?:ARG|ENV) .*(?:\\\n.*)*", CONTAINERFILE, re.MULTILINE)
    assert not [line for line in kept if re.search(r"SECRET|_KEYS?=|PASSWORD", line)]
    client = re.search(r"^ARG POSTGRESQL_CLIENT=postgresql-client-(\d+)", CONTAINERFILE, re.MULTILINE)
    assert client is not None
    assert SERVICES["database"]["image"].endswith(f"postgres:{client[1]}")


def test_nothing_gets_into_the_image_but_the_sources() -> None:
    first, *rest = [line for line in (ROOT / ".containerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    let_in = {line.removeprefix("!") for line in rest if line.startswith("!")}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert let_in == {path.partition("/")[0] for path in tracked} - {
        "tests", "docs", "deploy", ".ci", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE",
        ".containerignore", ".editorconfig", ".env.example", ".gitignore",
    }  # fmt: skip

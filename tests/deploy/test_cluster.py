"""The examples of deploy/cluster/ agree with each other, and keep the settings that the measurements were made with."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import NO_PROGRAM

pytestmark = pytest.mark.sqlite_only  # about files, which are the same on both

CLUSTER = Path(__file__).parents[2] / "deploy" / "cluster"
PATRONI: dict[str, Any] = yaml.safe_load((CLUSTER / "patroni.yml").read_text())
HAPROXY = (CLUSTER / "haproxy.cfg").read_text()


def port(address: str) -> str:
    return address.rpartition(":")[2]


def test_a_failover_loses_no_acknowledged_change_and_a_frozen_standby_holds_none() -> None:
    settings = PATRONI["bootstrap"]["dcs"]
    assert settings["synchronous_mode"] is True
    assert (settings["ttl"], settings["primary_start_timeout"]) == (20, 0)
    assert settings["ttl"] >= settings["loop_wait"] + 2 * settings["retry_timeout"], "Patroni's own rule"
    assert settings["postgresql"]["parameters"]["wal_sender_timeout"] == "3s"


def test_haproxy_looks_where_patroni_answers_and_frees_the_threads_of_a_frozen_node() -> None:
    servers = re.findall(r"server \w+ ([\d.]+):(\d+) .*check port (\d+)", HAPROXY)
    assert len(servers) == 6, "three nodes, in both sections"
    assert {(database, checked) for _, database, checked in servers} == {
        (port(PATRONI["postgresql"]["listen"]), port(PATRONI["restapi"]["listen"]))
    }
    assert {host for host, _, _ in servers} == {address.partition(":")[0] for address in PATRONI["etcd3"]["hosts"]}
    checks = re.findall(r"default-server (.+)", HAPROXY)
    assert len(checks) == 2
    assert all("inter 500ms" in line and "on-marked-down shutdown-sessions" in line for line in checks)
    bind = re.search(r"listen primary\n\s+bind 127\.0\.0\.1:(\d+)", HAPROXY)
    assert bind is not None
    assert f"@127.0.0.1:{bind[1]}/iru" in (CLUSTER.parents[1] / "docs" / "cluster.md").read_text()


def test_etcd_has_the_nodes_that_patroni_asks() -> None:
    lines = dict(line.split("=", 1) for line in (CLUSTER / "etcd.env").read_text().splitlines() if line[0] != "#")
    members = re.findall(r"//([\d.]+):2380", lines["ETCD_INITIAL_CLUSTER"])
    client = port(lines["ETCD_LISTEN_CLIENT_URLS"])
    assert [f"{member}:{client}" for member in members] == PATRONI["etcd3"]["hosts"]
    assert len(members) == 3


def test_haproxy_accepts_its_example() -> None:
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip(NO_PROGRAM)
    command = [program, "-c", "-f", str(CLUSTER / "haproxy.cfg")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr


def test_patroni_accepts_its_example(tmp_path: Path) -> None:
    if shutil.which("patroni") is None:
        pytest.skip(NO_PROGRAM)
    text = (CLUSTER / "patroni.yml").read_text().replace("ADDRESS", "127.0.0.2").replace("NAME", "node1")
    text = re.sub(r"10\.0\.0\.1\d", "127.0.0.1", text)
    text = re.sub(r"(data_dir:|pgpass:) .*", rf"\1 {tmp_path}/data", text)
    text = re.sub(r" *bin_dir: .*\n", "", text)
    (tmp_path / "config.yml").write_text(text)
    command = ["patroni", "--validate-config", str(tmp_path / "config.yml")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    # It also looks for PostgreSQL's programs and for a running etcd, which are not here.
    said = (run.stdout + run.stderr).splitlines()
    assert [line for line in said if "bin_dir" not in line and not line.endswith("is not reachable")] == []
    assert len(said) > 2, "it looked"

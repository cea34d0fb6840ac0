from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, missing
from tests.faults.installation import POSTGRESQL, Installation

lines: list[str] = []  # of this run


class Product:
    """Two servers and a worker on the cluster's database."""

    def __init__(self, cluster: Cluster) -> None:
        self.servers = [Installation(POSTGRESQL, cluster.directory / f"web{port}") for port in cluster.web_servers]
        for server, port in zip(self.servers, cluster.web_servers, strict=True):
            server.port, server.database_port = port, cluster.port
            server.directory.mkdir()

    def start(self) -> None:
        first, *others = self.servers
        first.sql("CREATE DATABASE iru", database="postgres")
        first.fill()
        for server in others:
            (server.directory / "content.json").write_text((first.directory / "content.json").read_text())
        for server in self.servers:
            server.serve("--processes", "1")
        first.start_worker()

    def close(self) -> None:
        for server in self.servers:
            server.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if remedies := missing():
        pytest.fail("The cluster needs more programs: " + "; ".join(remedies), pytrace=False)
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def product(cluster: Cluster) -> Iterator[Product]:
    product = Product(cluster)
    try:
        product.start()
        yield product
    finally:
        product.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lines:
        terminalreporter.section("CLUSTER (three nodes and all clients on one shared machine: times are upper bounds)")
        for line in lines:
            terminalreporter.line(line)

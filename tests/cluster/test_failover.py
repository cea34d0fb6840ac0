"""Nodes of the cluster die, hang and are exchanged under load.

In each case: no answers but the right ones and 503, no acknowledged change lost, no revoked token that works again.
"""

import time
from collections.abc import Callable

import pytest

from tests.cluster.cluster import NODES, Cluster
from tests.cluster.conftest import Product, lines
from tests.faults import table
from tests.faults.installation import seconds
from tests.faults.load import GOOD, HANGS, UNAVAILABLE, Client, Load, longest_gap, recovery, statuses
from tests.processes import wait_for

pytestmark = pytest.mark.cluster

TTL = 20  # seconds after which Patroni replaces a node that says nothing
SLACK = 15  # seconds for a machine that has other work


@pytest.fixture(autouse=True)
def whole(cluster: Cluster, product: Product) -> None:
    """Each test begins with three nodes that run."""
    for number in NODES:
        cluster.thaw(number)
    cluster.wait()


class Scenario:
    def __init__(self, name: str, cluster: Cluster, product: Product) -> None:
        self._name, self._cluster, self._product = name, cluster, product
        self.load: Load

    def run(
        self,
        cause: Callable[[], str],
        *,
        through_proxy: bool = False,
        gap: float,
        errors: bool = True,
        tokens: int = 1,
    ) -> None:
        """Call both servers before, during and after `cause`, which returns a remark, and judge the answers."""
        content = self._product.servers[0].content
        ports = [self._cluster.web_port] if through_proxy else self._cluster.web_servers
        self.load = Load(ports, content.secret, content.devices, writers=3, readers=2, tokens=tokens, pause=0.15)
        with self.load.running():
            seconds(3)
            assert all(call.good for call in self.load.calls), table.answers(statuses(self.load.calls))
            remark = cause()
            ended = time.monotonic()
            seconds(6)
        calls, ledger = self.load.calls, self.load.ledger
        self._cluster.wait()
        lost = self.load.lost()
        reads, writes = longest_gap(calls, reads=True), longest_gap(calls, reads=False)
        line = (
            f"{self._name}: {table.answers(statuses(calls))}; longest gap of reads {reads:.1f} s, of changes "
            f"{writes:.1f} s; slowest answer {max(call.end - call.start for call in calls):.1f} s; acknowledged "
            f"{ledger.acknowledged}, lost {lost}; {len(ledger.revoked)} tokens revoked, {ledger.late} worked later; "
            f"good again {recovery(calls, ended):.1f} s after the cause ended. {remark}"
        )
        lines.append(line)
        allowed = {*GOOD, *([UNAVAILABLE] if errors else [])}
        wrong = [
            (call.method, call.status, call.retry_after, call.body[:100])
            for call in calls
            if call.status not in allowed
        ]
        assert not wrong, (line, wrong)
        assert all(call.retry_after for call in calls if call.status == UNAVAILABLE), line
        assert (lost, ledger.late) == (0, 0), line
        assert max(reads, writes) < gap, line
        for command in ("verify_audit", "check_records"):
            self._product.servers[0].manage(command)


@pytest.fixture
def scenario(cluster: Cluster, product: Product) -> Callable[[str], Scenario]:
    return lambda name: Scenario(name, cluster, product)


type Scenarios = Callable[[str], Scenario]


def primary(cluster: Cluster) -> int:
    leader = cluster.leader()
    assert leader is not None
    return leader


def test_standby_frozen(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        standby = cluster.sync_standby()
        assert standby is not None
        cluster.freeze_postgres(standby)
        seconds(15)
        cluster.thaw(standby)
        return ""

    scenario("synchronous standby frozen 15 s").run(cause, gap=6)


def test_postgres_killed(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        former = primary(cluster)
        cluster.kill_postgres(former)
        return f"Another primary after {cluster.new_leader(former):.1f} s."

    scenario("PostgreSQL of the primary killed").run(cause, gap=5 + SLACK)


def test_replicas_restarted(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        for number in NODES:
            if number != primary(cluster):
                cluster.restart(number)
                cluster.wait()
        return ""

    scenario("replicas restarted one by one").run(cause, gap=4)


def test_switchover(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        former = primary(cluster)
        start = time.monotonic()
        cluster.switch_over()
        cluster.new_leader(former)
        return f"Another primary {time.monotonic() - start:.1f} s after the command."

    scenario("planned switchover").run(cause, gap=8 + SLACK)


def test_switchover_behind_a_proxy_that_repeats(cluster: Cluster, scenario: Scenarios) -> None:
    """Creating a token is left out: its answer has a secret, so that it is not stored, and not repeated."""

    def cause() -> str:
        former = primary(cluster)
        start = time.monotonic()
        cluster.switch_over()
        cluster.new_leader(former)
        return f"Another primary {time.monotonic() - start:.1f} s after the command."

    named = scenario("planned switchover, calls repeated by HAProxy")
    named.run(cause, through_proxy=True, gap=8 + SLACK, errors=False, tokens=0)


def test_node_frozen(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        former = primary(cluster)
        cluster.freeze_node(former)
        try:
            return f"Another primary after {cluster.new_leader(former):.1f} s."
        finally:
            cluster.thaw(former)

    scenario("node of the primary frozen until it was replaced").run(cause, gap=TTL + SLACK)


def test_node_killed(cluster: Cluster, scenario: Scenarios) -> None:
    def cause() -> str:
        former = primary(cluster)
        cluster.kill_node(former)
        took = cluster.new_leader(former)
        cluster.start_node(former)
        return f"Another primary after {took:.1f} s."

    scenario("node of the primary killed").run(cause, gap=TTL + SLACK)


def test_no_revoke_is_undone(cluster: Cluster, product: Product) -> None:
    """Both standbys hang, a token is revoked, and the machine of the primary dies: the token stays revoked."""
    content = product.servers[0].content
    client = Client(cluster.web_servers, content.secret)
    token = client.call("POST", "/tokens", {"name": "Short-lived", "permissions": []}).json()
    assert [client.call("GET", "/token", secret=token["token"]).status for _ in NODES] == [200] * len(NODES)
    former = primary(cluster)
    standbys = [number for number in NODES if number != former]
    for number in standbys:
        cluster.freeze_postgres(number)
    start = time.monotonic()
    wait_for(lambda: client.call("DELETE", f"/tokens/{token['id']}").status in (204, 404), 90)
    acknowledged = time.monotonic() - start
    cluster.kill_node(former)
    for number in standbys:
        cluster.thaw(number)
    answers = []
    end = time.monotonic() + TTL + SLACK
    while time.monotonic() < end:
        answers.append(client.call("GET", "/token", secret=token["token"]))
        time.sleep(0.2)
    promoted = cluster.leader() is not None
    cluster.start_node(former)
    cluster.wait()
    wait_for(lambda: client.call("GET", "/token", secret=token["token"]).status == 401, HANGS)
    lines.append(
        f"node killed with both standbys frozen: revoke acknowledged after {acknowledged:.1f} s; the token was then "
        f"answered {table.answers(statuses(answers))} for {TTL + SLACK} s, "
        f"{'with another' if promoted else 'without a'} primary; and 401 once the node was back."
    )
    assert {call.status for call in answers} <= {401, UNAVAILABLE}, lines[-1]
    client.close()

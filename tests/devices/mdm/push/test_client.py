"""The client of Apple's push service, against a simulated one."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from access.outgoing import Proxy
from devices.mdm.push.results import CertificateRefused, Delivered, Push, Rejected, Result, TokenDead, TryAgain
from devices.mdm.simulator.apns import Faults, SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.requests import Answer, Received
from tests.devices.mdm.push import TOPIC, pushes, token
from tests.devices.mdm.push.conftest import Connect
from tests.proxies import ConnectProxy

pytestmark = pytest.mark.sqlite_only  # no database is in it

NOVEMBER = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.fixture
def apns(authority: Authority) -> SimulatedApns:
    """Not started: a test sets its `faults` and `handler` first."""
    return SimulatedApns(authority=authority)


def send(apns: SimulatedApns, client: Connect, batch: Sequence[Push], **options: object) -> list[Result]:
    async def run() -> list[Result]:
        async with asyncio.timeout(120), apns, client(apns, **options) as sender:  # a lost push would hang the test
            return await sender.send(batch)

    results = asyncio.run(run())
    assert apns.complaints == []
    return results


def counted(results: list[Result]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


async def slowly(_: Received) -> None:
    """Answer the later pushes before the earlier ones, some of them after all that was sent with them."""
    await asyncio.sleep(random.random() / 20)


def test_a_push_has_the_form_that_apple_documents(apns: SimulatedApns, client: Connect) -> None:
    [result] = send(apns, client, [Push(b"\xab\x01" * 16, 'a "magic"')])
    [push] = apns.received
    assert isinstance(result, Delivered)
    assert (push.token, push.magic, push.topic, push.apns_id) == (b"\xab\x01" * 16, 'a "magic"', TOPIC, result.apns_id)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(410, "Unregistered", 1_700_000_000_000), TokenDead("Unregistered", NOVEMBER)),
        (Answer(410, "ExpiredToken"), TokenDead("ExpiredToken")),
        (Answer(410), TokenDead("Unregistered")),
        (Answer(410, "Unregistered", 10**30), TokenDead("Unregistered")),
        (Answer(400, "BadDeviceToken"), TokenDead("BadDeviceToken")),
        (Answer(400, "DeviceTokenNotForTopic"), TokenDead("DeviceTokenNotForTopic")),
        (Answer(403, "BadCertificate"), CertificateRefused("BadCertificate")),
        (Answer(403, "Whatever"), CertificateRefused("Whatever")),
        (Answer(403), CertificateRefused("HTTP 403")),
        (Answer(400, "TopicDisallowed"), CertificateRefused("TopicDisallowed")),
        (Answer(429, "TooManyRequests"), TryAgain("TooManyRequests")),
        (Answer(429, "TooManyRequests", headers=(("retry-after", "90"),)), TryAgain("TooManyRequests", 90)),
        (Answer(503, "Shutdown", headers=(("retry-after", "soon"),)), TryAgain("Shutdown")),
        (Answer(500), TryAgain("HTTP 500")),
        (Answer(400, "IdleTimeout"), TryAgain("IdleTimeout")),
        (Answer(400, "BadExpirationDate"), Rejected(400, "BadExpirationDate")),
        (Answer(413, "PayloadTooLarge"), Rejected(413, "PayloadTooLarge")),
        (Answer(404), Rejected(404, "")),
    ],
)  # fmt: skip
def test_each_answer_has_its_result(apns: SimulatedApns, client: Connect, answer: Answer, result: Result) -> None:
    apns.faults.answers = {token(1): answer}
    first, second, third = send(apns, client, pushes(3))
    assert second == result
    assert isinstance(first, Delivered)
    assert isinstance(third, Delivered)


def test_after_a_refused_certificate_no_further_push_is_sent(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(answers={token(10): Answer(403, "BadCertificate")}, max_streams=5)
    results = send(apns, client, pushes(100))
    assert len(apns.received) < 20
    assert counted(results) == {"Delivered": len(apns.received) - 1, "CertificateRefused": 101 - len(apns.received)}
    assert results[99] == CertificateRefused("BadCertificate")


@pytest.mark.slow
def test_each_push_arrives_once_through_goaways(apns: SimulatedApns, client: Connect) -> None:
    apns.handler, apns.faults = slowly, Faults(goaway_after=[500, 1, 700, 900], max_streams=400)
    batch = pushes(3000)
    results = send(apns, client, batch, timeout=60, longest_batch=60)
    assert counted(results) == {"Delivered": 3000}
    assert sorted(push.token for push in apns.received) == [push.token for push in batch]
    assert apns.connections == 5
    # Each result is that of its own push.
    assert {push.token: push.apns_id for push in apns.received} == {
        push.token: result.apns_id for push, result in zip(batch, results, strict=True) if isinstance(result, Delivered)
    }


def test_goaways_without_end_end_the_batch(apns: SimulatedApns, client: Connect) -> None:
    apns.faults.goaway_after = [0] * 1000
    assert counted(send(apns, client, pushes(20))) == {"TryAgain": 20}
    assert apns.connections == 3


def test_a_goaway_can_refuse_the_certificate(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(goaway_after=[2], goaway_reason="BadCertificate", max_streams=4)
    results = send(apns, client, pushes(10))
    assert counted(results) == {"Delivered": 2, "CertificateRefused": 8}
    assert apns.connections == 1


def test_silence_for_one_push_costs_no_other(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(silent={token(3)}, max_streams=10)
    results = send(apns, client, pushes(200), timeout=0.5)
    assert results[3] == TryAgain("No answer within 0.5 seconds.")
    assert counted(results) == {"TryAgain": 1, "Delivered": 199}
    assert len(apns.received) == 200


def test_after_silence_the_rest_is_sent_on_a_new_connection(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(silent={token(0)}, max_streams=1)
    results = send(apns, client, pushes(3), timeout=0.5)
    assert counted(results) == {"TryAgain": 1, "Delivered": 2}
    assert [push.connection for push in apns.received] == [1, 2, 2]


def test_a_batch_ends_in_time_whatever_is_silent(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(silent={token(n) for n in range(0, 100, 2)}, max_streams=1)
    started = time.monotonic()
    results = send(apns, client, pushes(100), timeout=0.3, longest_batch=1)
    assert time.monotonic() - started < 4
    assert results[99] == TryAgain("There was no time left for it.")
    assert 2 <= counted(results)["Delivered"] < 50


def test_a_service_that_only_takes_connections(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(mute=True)
    assert send(apns, client, pushes(2), timeout=0.3) == [TryAgain("The connection was not opened in time.")] * 2


def test_a_reset_request(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(reset={token(1)})
    results = send(apns, client, pushes(3))
    assert results[1] == TryAgain("APNs ended the request without an answer.")
    assert counted(results) == {"TryAgain": 1, "Delivered": 2}


@pytest.mark.parametrize("fault", ["reset", "answers"])
def test_after_a_fault_of_the_service_the_next_batch_has_a_new_connection(
    apns: SimulatedApns, client: Connect, fault: str
) -> None:
    setattr(apns.faults, fault, {"reset": {token(0)}, "answers": {token(0): Answer(503)}}[fault])

    async def run() -> None:
        async with apns, client(apns) as sender:
            await sender.send(pushes(2))
            await sender.send(pushes(2)[1:])
            await sender.send(pushes(2)[1:])

    asyncio.run(run())
    assert [push.connection for push in apns.received] == [1, 1, 2, 2]


def test_a_dropped_connection_costs_no_push_that_was_not_sent(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(drop_after=[100], max_streams=50)
    results = send(apns, client, pushes(500))
    assert 1 <= counted(results)["TryAgain"] <= 50
    assert counted(results)["Delivered"] == 500 - counted(results)["TryAgain"]
    assert apns.connections == 2


def test_a_connection_that_is_dropped_within_an_answer(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(torn={token(7)}, max_streams=1)
    results = send(apns, client, pushes(10))
    assert counted(results) == {"TryAgain": 1, "Delivered": 9}
    assert isinstance(results[7], TryAgain)


HEADERS, END_STREAM_AND_HEADERS = 1, 5


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame(HEADERS, END_STREAM_AND_HEADERS, b""),  # no status
        frame(HEADERS, END_STREAM_AND_HEADERS, b"\xff\xff\xff\xff\xff"),  # no HPACK
        frame(HEADERS, END_STREAM_AND_HEADERS, b"\x08\x03abc"),  # :status: abc
        frame(HEADERS, END_STREAM_AND_HEADERS, b"\x08\x04\xd9\xa2\xd9\xa0"),  # :status: Arabic digits
        frame(HEADERS, END_STREAM_AND_HEADERS, b"\x88", stream=2),  # a stream that we did not open
        frame(0, 1, b"body before head"),
        frame(5, 4, (2).to_bytes(4) + b"\x82\x86\x84"),  # PUSH_PROMISE, which our SETTINGS forbid
        frame(8, 0, (0).to_bytes(4)),  # a window of nothing
        b"\xff" * 64,  # a frame longer than allowed
    ],
    ids=range(10),
)
def test_a_malformed_answer(apns: SimulatedApns, client: Connect, answer: bytes) -> None:
    apns.faults = Faults(raw={token(0): answer}, max_streams=1)
    results = send(apns, client, pushes(3), timeout=1)
    assert isinstance(results[0], TryAgain)
    assert counted(results) == {"TryAgain": 1, "Delivered": 2}


@pytest.mark.parametrize("window", [1, 10, 100])
def test_a_small_window(apns: SimulatedApns, client: Connect, window: int) -> None:
    apns.faults = Faults(window=window)
    assert counted(send(apns, client, pushes(300), timeout=60)) == {"Delivered": 300}
    assert len(apns.received) == 300


def test_more_than_the_window_of_the_connection(apns: SimulatedApns, client: Connect) -> None:
    batch = [Push(token(number), "m" * 1000) for number in range(500)]
    assert counted(send(apns, client, batch, timeout=60)) == {"Delivered": 500}


@pytest.mark.parametrize("streams", [1, 7, 5000])
def test_no_more_pushes_at_once_than_the_service_allows(apns: SimulatedApns, client: Connect, streams: int) -> None:
    at_once, most = 0, 0

    async def handle(_: Received) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    apns.handler, apns.faults = handle, Faults(max_streams=streams)
    assert counted(send(apns, client, pushes(min(1200, streams * 20)), timeout=60)).keys() == {"Delivered"}
    assert most <= min(streams, 1000)


def test_a_service_without_room(apns: SimulatedApns, client: Connect) -> None:
    apns.faults = Faults(max_streams=0)
    assert counted(send(apns, client, pushes(3), longest_batch=0.3)) == {"TryAgain": 3}


def test_batches_share_a_connection(apns: SimulatedApns, client: Connect) -> None:
    async def run() -> None:
        async with apns, client(apns) as sender:
            assert await sender.send([]) == []
            assert apns.connections == 0
            results = await asyncio.gather(*(sender.send(pushes(20)) for _ in range(5)))
            assert [counted(part) for part in results] == [{"Delivered": 20}] * 5

    asyncio.run(run())
    assert apns.connections == 1


def test_a_connection_that_ended_while_idle_is_opened_again(apns: SimulatedApns, client: Connect) -> None:
    async def run() -> None:
        async with apns, client(apns) as sender:
            await sender.send(pushes(1))
            await apns.drop()
            await asyncio.sleep(0.05)
            assert counted(await sender.send(pushes(5))) == {"Delivered": 5}

    asyncio.run(run())
    assert apns.connections == 2


def test_an_abandoned_batch_leaves_the_client_usable(apns: SimulatedApns, client: Connect) -> None:
    apns.faults.silent = {token(0)}

    async def run() -> None:
        async with apns, client(apns) as sender:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await sender.send(pushes(1))
            assert counted(await sender.send(pushes(5)[1:])) == {"Delivered": 4}

    asyncio.run(run())


def test_an_idle_connection_is_tested(apns: SimulatedApns, client: Connect) -> None:
    async def run() -> None:
        async with apns, client(apns, timeout=0.2, keep_alive=0.1) as sender:
            await sender.send(pushes(1))
            await asyncio.sleep(0.6)
            assert apns.pings >= 2
            await sender.send(pushes(1))
            assert apns.connections == 1

            apns.faults.no_pongs = True
            await asyncio.sleep(0.6)
            assert counted(await sender.send(pushes(2))) == {"Delivered": 2}
            assert apns.connections == 2

    asyncio.run(run())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_tls_refuses(
    apns: SimulatedApns, client: Connect, context: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    apns.faults.refuse_certificates = True
    context.maximum_version = version
    results = send(apns, client, pushes(2))
    assert results == [CertificateRefused("TLSV1_ALERT_UNKNOWN_CA")] * 2
    assert apns.connections == 0


def test_a_connection_that_is_closed_at_once_twice_is_a_refused_certificate(
    apns: SimulatedApns, client: Connect
) -> None:
    apns.faults.close_before_settings = 2
    assert counted(send(apns, client, pushes(2))) == {"CertificateRefused": 2}


def test_a_connection_that_is_closed_at_once_is_opened_again(apns: SimulatedApns, client: Connect) -> None:
    apns.faults.close_before_settings = 1
    assert counted(send(apns, client, pushes(2))) == {"Delivered": 2}


def test_a_service_that_is_not_there(context: ssl.SSLContext, client: Connect, apns: SimulatedApns) -> None:
    async def run() -> list[Result]:
        async with apns:
            pass
        async with client(apns) as sender:
            return await sender.send(pushes(2))

    assert counted(asyncio.run(run())) == {"TryAgain": 2}


def test_a_server_that_our_authorities_do_not_prove(client: Connect) -> None:
    [result] = send(SimulatedApns(authority=Authority()), client, pushes(1))
    assert isinstance(result, TryAgain)
    assert result.reason.startswith("The server is not trusted: ")


def test_a_server_without_http_2(apns: SimulatedApns, client: Connect) -> None:
    apns.faults.alpn = "http/1.1"
    assert send(apns, client, pushes(1)) == [TryAgain("The server does not speak HTTP/2.")]
    assert apns.received == []


def test_the_way_through_a_proxy(apns: SimulatedApns, client: Connect) -> None:
    async def run() -> None:
        async with apns:
            with ConnectProxy(to=apns.port) as proxy:
                way = Proxy(proxy.url, "127.0.0.1", proxy.port, "Basic abc")
                async with client(apns, proxy=way) as sender:
                    assert counted(await sender.send(pushes(600))) == {"Delivered": 600}
                assert proxy.asked == [f"localhost:{apns.port}"]
                assert "Proxy-Authorization: Basic abc\r\n" in proxy.heads[0]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "The proxy refused the connection: HTTP/1.1 407 Who are you"),
        (b"HTTP/1.1 200 OK\r\n", "The proxy did not answer as HTTP says."),
        (b"x" * 70_000, "The proxy did not answer as HTTP says."),
    ],
)
def test_a_proxy_that_refuses(apns: SimulatedApns, client: Connect, answer: bytes, reason: str) -> None:
    async def run() -> list[Result]:
        async with apns:
            with ConnectProxy(to=apns.port, answer=answer) as proxy:
                async with client(apns, proxy=Proxy(proxy.url, "127.0.0.1", proxy.port)) as sender:
                    return await sender.send(pushes(2))

    assert asyncio.run(run()) == [TryAgain(reason)] * 2

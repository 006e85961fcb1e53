"""What leaves for others' systems: where to, how much, for how long, and what is known when no answer comes."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from loyalty.channels.channel import NoAnswer, NotSent
from loyalty.runtime.senders import MAX_REQUEST, Barred, Http, allowed, checked
from tests.patience import ANSWER_S
from tests.providers import Fault, Receiver, serving
from tests.unit.channel_rig import hang_up, impatient

SECRET = "whsec_" + "A" * 32
IMPATIENT_S = 0.3
JSON = {"content-type": "application/json"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver(SECRET)) as server:
        yield server
        hang_up()


@pytest.fixture
def http() -> Iterator[Http]:
    sender = Http(local=True)
    yield sender
    sender.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::",
        "192.0.2.1", "198.18.0.1", "fec0::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_an_address_that_is_not_public(address: str) -> None:
    assert not allowed(address, local=False)
    with pytest.raises(Barred):
        checked("https://partner.example/hook", local=False, resolver=lambda host, port: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_fine(address: str) -> None:
    assert allowed(address, local=False)
    _, to = checked("https://partner.example/hook", local=False, resolver=lambda host, port: [address])
    assert to == address


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "fe80::1"])
def test_a_stack_on_this_machine_may_talk_to_itself_and_to_nothing_else_that_is_private(address: str) -> None:
    assert allowed("127.0.0.1", local=True)
    assert allowed("::1", local=True)
    assert not allowed(address, local=True)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Barred):
        checked("https://a.example", local=False, resolver=lambda host, port: ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    "url",
    ["http://partner.example/", "ftp://partner.example/", "https://", "//partner.example", "https://user:pass@partner.example/",
     "https://partner.example/#part", "file:///etc/passwd", "https://[::1", "gopher://a", ""],
)  # fmt: skip
def test_only_plain_https_addresses_are_taken(url: str) -> None:
    with pytest.raises(Barred, match="bad_url"):
        checked(url, local=False, resolver=lambda host, port: ["8.8.8.8"])


@pytest.mark.parametrize("host", ["a..example", ".example", "a" * 64 + ".example"])
def test_what_is_no_name_is_looked_up_nowhere(host: str) -> None:
    with pytest.raises(Barred, match="bad_url"):
        checked(f"https://{host}/hook", local=False)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "017700000001", "127.1", "localhost", "[::ffff:127.0.0.1]"]
)
def test_odd_ways_to_write_this_machine_lead_nowhere(host: str) -> None:
    with pytest.raises(NotSent):
        Http()(f"https://{host}/", b"", {}, 1.0)


def test_a_name_that_nobody_knows_is_not_sent() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(NotSent, match="no_address"):
        Http(resolver=unknown)("https://partner.example/", b"", {}, 1.0)


def test_the_address_that_was_checked_is_the_one_that_is_called(receiver: Receiver) -> None:
    asked = []

    def names(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.1"]

    http = Http(local=True, resolver=names)
    port = receiver.url.rsplit(":", 1)[1]
    assert http(f"http://partner.example:{port}/hook", b"{}", JSON, ANSWER_S).status == 401
    assert (asked, receiver.requests[0].headers["host"]) == (["partner.example"], f"partner.example:{port}")
    http.close()


def test_query_path_and_headers_arrive_as_they_are(receiver: Receiver, http: Http) -> None:
    http(f"{receiver.url}/a%20b?x=1", b"{}", {**JSON, "webhook-id": "1"}, ANSWER_S, {"access_token": "a b&c="})
    (request,) = receiver.requests
    assert request.path == "/a%20b"
    assert request.query == {"x": "1", "access_token": "a b&c="}
    assert request.headers["webhook-id"] == "1"
    assert request.body == b"{}"


def test_a_connection_serves_the_next_request_unless_it_lay_idle(receiver: Receiver) -> None:
    clock = [0.0]
    http = Http(local=True, clock=lambda: clock[0])
    opened = []
    connect = socket.create_connection
    for gap in (0.0, 4.0, 6.0):
        clock[0] += gap
        assert http(f"{receiver.url}/hook", b"{}", JSON, ANSWER_S).status == 401
        ((connection, _),) = http._open.values()  # noqa: SLF001 - which connection it is shows nowhere else
        assert connection.sock is not None
        opened.append(connection.sock.getsockname())
    assert connect is socket.create_connection
    assert opened[0] == opened[1] != opened[2]
    http.close()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RESET, "reset"),
        (Fault.TAKEN_RESET, "reset"),
        (Fault.SLOW, "timeout"),
        (Fault.DRIP, "timeout"),
        (Fault.CUT, "reset"),
        (Fault.HUGE, "answer_too_long"),
    ],
)
def test_an_answer_that_does_not_come_whole_is_no_answer(
    receiver: Receiver, http: Http, fault: Fault, code: str
) -> None:
    receiver.faults = [fault]
    sender = impatient(receiver) if code == "timeout" else http
    with pytest.raises(NoAnswer, match=code):
        sender(f"{receiver.url}/hook", b"{}", JSON, ANSWER_S)
    receiver.dawdles.clear()
    assert sender(f"{receiver.url}/hook", b"{}", JSON, ANSWER_S).status == 401, "the next has a connection of its own"


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIP])
def test_patience_is_for_the_whole_answer_however_quickly_its_bytes_follow_each_other(
    receiver: Receiver, http: Http, fault: Fault
) -> None:
    receiver.faults = [fault]
    with pytest.raises(NoAnswer, match="timeout"):
        http(f"{receiver.url}/hook", b"{}", JSON, IMPATIENT_S)


def test_redirects_are_not_followed(receiver: Receiver, http: Http) -> None:
    receiver.faults = [Fault.ELSEWHERE]
    assert http(f"{receiver.url}/hook", b"{}", JSON, ANSWER_S).status == 302
    assert len(receiver.requests) == 1


def test_what_is_too_long_is_not_begun(http: Http) -> None:
    with pytest.raises(NotSent, match="too_long"):
        http("https://partner.example/", b"x" * (MAX_REQUEST + 1), {}, 1.0)


def test_nobody_listening_is_not_sent(http: Http) -> None:
    with pytest.raises(NotSent, match="unreachable"):
        http("http://127.0.0.1:9/", b"", {}, 1.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for partner.example that signed itself, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    asked = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=partner.example", "-addext", "subjectAltName=DNS:partner.example"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *asked, *named, *files], check=True, capture_output=True)
    return folder


def test_a_certificate_that_nobody_vouches_for_or_for_another_name_ends_it_before_a_byte(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.runtime.senders.CONNECT_S", ANSWER_S)  # which the handshake is part of
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    with serving(Receiver(SECRET), served) as server:
        port = server.url.rsplit(":", 1)[1]
        here = partial(Http, local=True, resolver=lambda host, port: ["127.0.0.1"])
        for name, context in (("partner.example", None), ("other.example", trusting)):
            with pytest.raises(NotSent, match="no_tls"):
                here(context=context)(f"https://{name}:{port}/hook", b"{}", JSON, ANSWER_S)
        assert server.requests == []
        http = here(context=trusting)
        assert http(f"https://partner.example:{port}/hook", b"{}", JSON, ANSWER_S).status == 401
        http.close()

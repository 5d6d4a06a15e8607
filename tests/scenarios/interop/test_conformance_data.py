"""PASV, EPSV, PORT, EPRT and the parameters (RFC 959 §3-4, RFC 1123 §4.1, RFC 2428, RFC 2577)."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable

import pytest

from tests.support.raw_client import (
    LOCAL,
    STRANGER,
    RunningService,
    in_thread,
    receive_all,
    reset,
    started,
    starting,
)

FIXTURES = (started, starting)
IPV6 = r"tcp6:0:interface=\:\:1"


@in_thread
def test_pasv_reply_and_one_port_at_a_time(served: RunningService) -> None:
    wire = served.session()
    answers = [wire.ask("PASV") for _ in range(3)]
    shape = rb"227 Entering Passive Mode \(127,0,0,1,([0-9]{1,3}),([0-9]{1,3})\)\."
    found = [re.fullmatch(shape, answer.lines[0]) for answer in answers]
    ports = [int(match[1]) * 256 + int(match[2]) for match in found if match]
    assert min(ports) >= 1024
    for port in set(ports) - {ports[2]}:
        assert served.refuses(("127.0.0.1", port))
    with served.connected(("127.0.0.1", ports[2])) as data:
        assert wire.code("LIST") == 150
        assert receive_all(data) == b""
    assert wire.reply().code == 226


@in_thread
def test_epsv(served: RunningService) -> None:
    wire = served.session()
    shape = rb"229 Entering Extended Passive Mode \(\|\|\|[0-9]{4,5}\|\)"
    for command in ("EPSV", "EPSV 1", "epsv 1"):
        assert re.fullmatch(shape, wire.ask(command).lines[0])
    assert wire.codes("EPSV 2", "EPSV 3", "EPSV x", "EPSV 1 1", "EPSV -1") == [
        522,
        522,
        501,
        501,
        501,
    ]
    assert "(1,2)" in wire.ask("EPSV 3").text
    assert "(1)" in wire.ask("EPSV 2").text


@in_thread
def test_epsv_all_refuses_other_commands(served: RunningService) -> None:
    wire = served.session()
    assert wire.codes("EPSV ALL", "PASV", "PORT 127,0,0,1,200,200") == [200, 503, 503]
    assert wire.codes("EPRT |1|127.0.0.1|5000|", "EPSV") == [503, 229]
    assert wire.download("NLST") == b""


BAD_PORTS = (
    *(
        "1,2,3",
        "127,0,0,1,4",
        "127,0,0,1,4,5,6",
        "127,0,0,256,20,20",
        "127,0,0,1,256,1",
        "a,b,c,d,e,f",
    ),
    *("127.0.0.1,20,20", "127,0,0,1,0,0", "127,0,0,1,-1,5", "127,,0,1,4,5", "127,0,0,1,4,5,"),
    *(" 127,0,0,1 ,4,5", "0x7f,0,0,1,4,5", "\u0661,0,0,1,4,5", "127,0,0,1,0004,5"),
)


@in_thread
def test_malformed_ports_are_501(served: RunningService) -> None:
    wire = served.session()
    assert {text: wire.code(f"PORT {text}") for text in BAD_PORTS} == dict.fromkeys(BAD_PORTS, 501)
    assert wire.code("LIST") == 425


BAD_EPRTS = (
    *("|1|127.0.0.1|5000", "1|127.0.0.1|5000|", "|1|127.0.0.1|0|", "|1|127.0.0.1|65536|", "||||"),
    *("|1|127.0.0.256|5000|", "|1|::1|5000|", "|2|127.0.0.1|5000|", "|1|localhost|5000|", "|"),
    *(
        "|1|127.0.0.1|5000||",
        "|1||5000|",
        "|1|127.0.0.1||",
        "|1|127.0.0.1|50 00|",
        "|x|127.0.0.1|5|",
    ),
    *("||127.0.0.1|5000|", "|1|127.0.0.1|-5|", "11127.0.0.1150001", "|1!127.0.0.1!5000!"),
)


@in_thread
def test_malformed_eprts_are_501(served: RunningService) -> None:
    wire = served.session()
    assert {text: wire.code(f"EPRT {text}") for text in BAD_EPRTS} == dict.fromkeys(BAD_EPRTS, 501)
    assert wire.codes("EPRT |3|127.0.0.1|5000|", "EPRT |0|x|y|", "EPRT |2|::1|5000|") == [522] * 3
    assert "(1,2)" in wire.ask("EPRT |3|127.0.0.1|5000|").text


@in_thread
def test_port_to_other_hosts_or_low_ports_is_refused(served: RunningService) -> None:
    wire = served.session()
    targets = (
        "127,0,0,2,20,20",
        "10,0,0,1,20,20",
        "0,0,0,0,20,20",
        "127,0,0,1,3,255",
        "127,0,0,1,0,21",
    )
    assert {text: wire.code(f"PORT {text}") for text in targets} == dict.fromkeys(targets, 504)
    assert wire.codes("EPRT |1|127.0.0.2|5000|", "EPRT |1|127.0.0.1|1023|") == [504, 504]
    assert wire.code("RETR a") == 550
    assert wire.code("LIST") == 425


@in_thread
@pytest.mark.parametrize(
    "form",
    ["PORT 127,0,0,1,{high},{low}", "EPRT |1|127.0.0.1|{port}|", "EPRT !1!127.0.0.1!{port}!"],
)
def test_active_connections(served: RunningService, form: str) -> None:
    (served.root / "a").write_bytes(b"hello")
    wire = served.session()
    listening = served.listening()
    port = listening.getsockname()[1]
    command = form.format(port=port, high=port // 256, low=port % 256)
    assert wire.codes(command, "TYPE I", "RETR a") == [200, 200, 150]
    with served.accepted(listening) as data:
        assert data.getpeername()[0] == "127.0.0.1"
        assert receive_all(data) == b"hello"
    assert wire.reply().code == 226
    assert wire.code("LIST") == 425  # one for each transfer


@in_thread
def test_an_active_connection_that_is_refused_is_425(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    with served.listening() as listening:
        port = listening.getsockname()[1]
    assert wire.codes(f"EPRT |1|127.0.0.1|{port}|", "STOR a") == [200, 150]
    assert wire.reply().code == 425
    assert (served.root / "a").read_bytes() == b"old"


@in_thread
def test_a_data_connection_that_never_comes_is_425(server: Callable[..., RunningService]) -> None:
    served = server("--data-timeout", "0.05")
    wire = served.session()
    for command in ("STOR a", "LIST", "MLSD", "NLST"):
        host, port = wire.passive_address()
        assert wire.code(command) == 150
        assert wire.reply().code == 425
        assert served.refuses((host, port))
    assert list(served.root.iterdir()) == []


@in_thread
def test_a_stranger_is_refused_and_the_client_is_served(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"secret")
    wire = served.session()
    place = wire.passive_address()
    strangers = [served.connected(place, source=STRANGER) for _ in range(5)]
    assert [stranger.recv(1) for stranger in strangers] == [b""] * 5
    with served.connected(place) as data:
        assert wire.codes("NOOP", "TYPE I", "RETR a") == [200, 200, 150]
        assert receive_all(data) == b"secret"
    assert wire.reply().code == 226


@in_thread
def test_a_stranger_cannot_upload(served: RunningService) -> None:
    wire = served.session()
    place = wire.passive_address()
    stranger = served.connected(place, source=STRANGER)
    stranger.sendall(b"evil")
    assert wire.code("STOR a") == 150
    with contextlib.suppress(ConnectionResetError):
        assert stranger.recv(1) == b""
    with served.connected(place) as data:
        data.sendall(b"good")
    assert wire.reply().code == 226
    assert (served.root / "a").read_bytes() == b"good"


@in_thread
def test_one_passive_connection_for_one_transfer(served: RunningService) -> None:
    wire = served.session()
    place = wire.passive_address()
    with served.connected(place) as data:
        assert served.refuses(place)
        assert wire.code("LIST") == 150
        assert receive_all(data) == b""
    assert wire.reply().code == 226
    assert wire.code("LIST") == 425


@in_thread
def test_an_unused_passive_connection_ends_with_a_fin(
    served: RunningService,
) -> None:
    wire = served.session("reader")
    for command in ("RETR none", "LIST none", "NLST none", "MLSD none", "RETR /", "APPE none/a"):
        with wire.accepted() as data:
            assert wire.code(command) == 550
            assert data.recv(1) == b""


@in_thread
def test_the_client_may_connect_before_or_after_its_command(served: RunningService) -> None:
    wire = served.session()
    before = wire.accepted()
    assert wire.code("STOR a") == 150
    before.sendall(b"x")
    before.close()
    assert wire.reply().code == 226
    place = wire.passive_address()
    assert wire.code("STOR b") == 150
    with served.connected(place) as after:
        after.sendall(b"y")
    assert wire.reply().code == 226
    assert wire.download("NLST") == b"a\r\nb\r\n"


@in_thread
def test_ipv6(server: Callable[..., RunningService]) -> None:
    served = server("--listen", IPV6)
    (served.root / "a").write_bytes(b"six")
    wire = served.session(host="::1")
    assert (
        wire.codes("PASV", "PORT 127,0,0,1,200,200", "EPRT |1|127.0.0.1|5000|", "EPSV 1")
        == [522] * 4
    )
    assert "(2)" in wire.ask("EPSV 1").text
    assert wire.codes("EPRT |2|::2|5000|", "EPRT |2|::1|80|", "EPRT |2|::ffff:127.0.0.1|5000|") == [
        *(504, 504, 522)
    ]
    assert wire.codes("EPSV 2", "EPSV") == [229, 229]
    assert wire.download("RETR a") == b"six"
    for host in ("::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001"):
        listening = served.listening("::1")
        assert wire.codes(f"EPRT |2|{host}|{listening.getsockname()[1]}|", "RETR a") == [200, 150]
        with served.accepted(listening) as data:
            assert receive_all(data) == b"six"
        assert wire.reply().code == 226


@in_thread
def test_passive_ports_are_taken_from_the_range_and_released(
    server: Callable[..., RunningService],
) -> None:
    with server().listening() as free:
        port = free.getsockname()[1]
    served = server("--passive-ports", str(port))
    wire, rival = served.session(), served.session("other")
    for _ in range(5):
        assert wire.passive_address()[1] == port
        assert wire.download("NLST") == b""
    assert wire.passive_address()[1] == port
    assert wire.code("NLST") == 150  # it is waited at
    assert rival.codes("EPSV", "PASV", "LIST") == [425, 425, 425]
    wire.send(b"ABOR\r\n")
    assert wire.replies(2) == [426, 226]
    assert rival.code("EPSV") == 229
    reset(rival.end)
    served.wait_for(lambda: len(served.factory.instances) == 1)
    assert wire.code("PASV") == 227


@in_thread
def test_unused_passive_ports_do_not_block_others(server: Callable[..., RunningService]) -> None:
    with socket.socket() as own:
        own.bind((LOCAL, 0))
        port = own.getsockname()[1]
    served = server("--passive-ports", str(port))
    idle, busy, other = served.session(), served.session(), served.session()
    assert idle.passive_address() == busy.passive_address() == (LOCAL, port)
    assert idle.code("NLST") == 425
    data = served.connected((LOCAL, port))
    assert busy.codes("NOOP", "STOR a") == [200, 150]
    assert other.download("NLST") == b""  # the port is free while the upload goes on
    data.close()
    assert busy.reply().code == 226


@in_thread
def test_an_unused_passive_port_times_out(server: Callable[..., RunningService]) -> None:
    served = server("--data-timeout", "0.1")
    wire = served.session()
    place = wire.passive_address()
    (session,) = served.factory.instances
    served.wait_for(lambda: session.context.connector._prepared.problem)
    assert served.refuses(place)
    assert wire.code("NLST") == 425

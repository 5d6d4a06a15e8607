"""FTPS (RFC 4217, RFC 2228): order of commands, replies, dropped input, close."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.tls_client import BOTH, TLS13, TLSWire, client_context, implicit

FIXTURES = (started, starting)
IMPLICIT = ("--implicit", f"tcp:0:interface={LOCAL}")
Server = Callable[..., RunningService]
CONTENT = bytes(range(256)) * 4000
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


def wire(served: RunningService, version: ssl.TLSVersion = TLS13) -> TLSWire:
    return TLSWire(served, served.connected((LOCAL, served.port)), client_context(version))


@versions
@pytest.mark.parametrize("mechanism", ["TLS", "TLS-C", "tls"])
@in_thread
def test_a_session_with_tls(
    served: RunningService, version: ssl.TLSVersion, mechanism: str
) -> None:
    client = wire(served, version).auth(mechanism)
    assert client.end.version() == ("TLSv1.3" if version is TLS13 else "TLSv1.2")
    assert client.end.getpeercert(binary_form=True)
    client.login().protect()
    assert client.upload("STOR a", CONTENT).code == 226
    assert (served.root / "a").read_bytes() == CONTENT
    assert client.codes("TYPE I", "PASV") == [200, 227]
    assert client.download("RETR a") == CONTENT
    assert b"a\r\n" in client.download("NLST")
    assert client.code("QUIT") == 221
    assert client.over()


@pytest.mark.parametrize("mechanism", ["SSL", "TLS-P"])
@in_thread
def test_auth_ssl_protects_data_from_the_start(served: RunningService, mechanism: str) -> None:
    client = wire(served).auth(mechanism)
    client.private = True
    client.login()
    assert client.upload("STOR a", CONTENT).code == 226
    assert client.download("RETR a") != b""
    assert client.code("PROT C") == 200
    client.private = False
    assert client.download("NLST") == b"a\r\n"


@in_thread
def test_data_is_plaintext_before_prot_p_and_after_prot_c(served: RunningService) -> None:
    client = wire(served).auth().login()
    assert client.upload("STOR a", b"x" * 100).code == 226
    assert isinstance(client, TLSWire)
    client.protect()
    assert client.download("NLST") == b"a\r\n"
    assert client.code("PROT C") == 200
    client.private = False
    assert client.download("NLST") == b"a\r\n"


@in_thread
def test_feat_lists_the_tls_commands(served: RunningService) -> None:
    client = wire(served)
    lines = client.ask("FEAT").lines
    assert {b" AUTH TLS", b" PBSZ", b" PROT"} <= set(lines)
    assert b" CCC" not in lines
    text = b"\n".join(client.auth().ask("STAT").lines)
    assert b"TLSv1.3" in text
    assert b"data: plaintext" in text


@in_thread
def test_replies_without_tls(served: RunningService) -> None:
    client = wire(served)
    assert client.codes("PBSZ 0", "PROT P", "PROT C", "PROT X") == [503, 503, 503, 503]
    assert client.codes("AUTH", "AUTH FOO", "PBSZ abc", "PBSZ", "PROT") == [501, 504, 501, 501, 501]
    assert client.codes("CCC", "ADAT x", "MIC x", "CONF x", "ENC x") == [530, 503, 503, 503, 503]
    assert client.login().code("CCC") == 533


@in_thread
def test_replies_with_tls(served: RunningService) -> None:
    client = wire(served).auth()
    assert client.codes("AUTH TLS", "AUTH FOO") == [503, 504]
    assert client.codes("PROT P", "PROT S") == [503, 503]
    assert client.ask("PBSZ 1024").lines == (b"200 PBSZ=0",)
    assert client.codes("PBSZ abc", "PBSZ -1", "PBSZ 4294967296") == [501, 501, 501]
    assert client.codes("PROT S", "PROT E", "PROT X", "PROT") == [536, 536, 504, 501]
    assert client.codes("ADAT x", "MIC x", "CONF x", "ENC x") == [503, 537, 537, 537]
    assert client.codes("CCC", "PWD", "PROT P") == [530, 530, 200]
    assert client.login().code("CCC") == 534


GLUED = {
    "login": b"USER demo\r\nPASS demo\r\nMKD slipped\r\n",
    "quit": b"QUIT\r\n",
    "half a line": b"USER de",
    "telnet": b"\xff\xfd\x18NOOP\r\n\xff\xfd",
    "many": b"NOOP\r\n" * 500,
    "another": b"AUTH TLS\r\nAUTH TLS\r\n",
    "long": b"x" * 4000,
}


@versions
@pytest.mark.parametrize("glued", GLUED.values(), ids=GLUED)
@in_thread
def test_commands_in_the_segment_of_auth_are_dropped(
    served: RunningService, version: ssl.TLSVersion, glued: bytes
) -> None:
    client = wire(served, version)
    client.send(b"AUTH TLS\r\n" + glued)
    assert client.reply().code == 234
    client.handshake()
    assert client.codes("NOOP", "PWD") == [200, 530]
    client.login()
    assert list(served.root.iterdir()) == []


@in_thread
def test_plaintext_after_the_auth_reply_is_no_handshake(served: RunningService) -> None:
    client = wire(served)
    assert client.code("AUTH TLS") == 234
    client.send("USER demo\r\nPASS demo\r\nMKD slipped\r\n")
    assert turned_away(client)
    assert list(served.root.iterdir()) == []


def turned_away(client: TLSWire) -> bool:
    """Return whether the server closes the connection, at most after a TLS alert."""
    received = b""
    try:
        while piece := client.end.recv(4096):
            received += piece
    except ConnectionResetError:
        pass
    return received == b"" or (received[0] == 21 and len(received) == 7)


@in_thread
def test_auth_ends_a_plaintext_login(served: RunningService) -> None:
    client = wire(served)
    client.login()
    assert client.codes("REST 5", "TYPE I") == [350, 200]
    client.auth()
    assert client.codes("PWD", "PASS demo", "STOR a") == [530, 503, 530]
    client.login()
    assert client.upload("STOR a", b"all").code == 226
    assert (served.root / "a").read_bytes() == b"all"


@in_thread
def test_abor_after_auth_does_not_abort_the_upload(served: RunningService) -> None:
    client = wire(served)
    client.login()
    data = client.data()
    assert client.code("STOR a") == 150
    client.send(b"AUTH TLS\r\nABOR\r\nDELE a\r\n")
    data.sendall(b"whole")
    data.close()
    assert client.replies(2) == [226, 234]
    client.handshake().login()
    assert (served.root / "a").read_bytes() == b"whole"


@in_thread
def test_user_after_login_and_rein_keep_tls(served: RunningService) -> None:
    client = wire(served).auth().login()
    assert isinstance(client, TLSWire)
    client.protect()
    client.login("other")
    assert client.download("NLST") == b""
    assert client.codes("REIN", "PWD", "PROT P") == [220, 530, 503]
    client.private = False
    client.login().code("NOOP")
    assert client.download("NLST") == b""


@in_thread
def test_a_pipelined_quit_ends_with_close_notify(served: RunningService) -> None:
    client = wire(served).auth()
    client.send(b"USER demo\r\nPASS demo\r\nPWD\r\nQUIT\r\nNOOP\r\n")
    assert client.replies(4) == [331, 230, 257, 221]
    assert client.over()


@in_thread
def test_close_notify_is_answered_with_close_notify(served: RunningService) -> None:
    client = wire(served).auth().login()
    client.end.unwrap().close()
    served.wait_for(served.settled())


@in_thread
def test_a_client_that_disconnects_is_forgotten(served: RunningService) -> None:
    client = wire(served).auth().login()
    client.drop()
    served.wait_for(served.settled())


@in_thread
def test_required_tls_for_data(server: Server) -> None:
    served = server("--tls-data", "required", "--allow-ccc")
    (served.root / "a").write_bytes(CONTENT)
    client = wire(served).auth().login()
    assert isinstance(client, TLSWire)
    place = client.passive_address()
    assert client.codes("RETR a", "STOR b", "LIST", "MLSD", "NLST") == [521] * 5
    assert served.refuses(place)
    assert client.codes("PBSZ 0", "PROT C") == [200, 534]
    client.protect()
    assert client.codes("PROT C", "TYPE I") == [534, 200]
    assert client.download("RETR a") == CONTENT
    clear = served.wire().login()
    assert clear.codes("PASV", "RETR a") == [227, 521]


@in_thread
def test_required_tls_for_logins(server: Server) -> None:
    served = server("--tls", "required", "--allow-ccc", "--anonymous")
    client = wire(served)
    assert client.codes("USER demo", "PASS demo", "USER anonymous") == [530, 503, 530]
    assert client.codes("SYST", "FEAT", "NOOP") == [215, 211, 200]
    client.auth().login()
    assert client.codes("CCC", "PWD", "REIN", "USER anonymous") == [534, 257, 220, 331]


@in_thread
def test_tls_off(server: Server) -> None:
    client = wire(server("--tls", "off"))
    assert client.codes("AUTH TLS", "PBSZ 0", "PROT P") == [534, 503, 503]
    assert b"AUTH" not in b"".join(client.ask("FEAT").lines)
    client.login()


@versions
@in_thread
def test_ccc(server: Server, version: ssl.TLSVersion) -> None:
    served = server("--allow-ccc")
    client = wire(served, version)
    assert b" CCC" in client.ask("FEAT").lines
    client.auth().login()
    client.protect()
    session = client.end.session
    client.send(b"CCC\r\nMKD slipped\r\n")
    assert client.reply().code == 200
    client.end = client.end.unwrap()  # type: ignore[assignment]  # in clear from here on
    served.close_later(client.end)
    assert client.codes("NOOP", "PWD", "PROT C", "PBSZ 0", "CCC") == [200, 257, 503, 503, 533]
    data = client.wrapped(served.connected(client.passive_address()), session)
    assert client.code("STOR a") == 150
    data.sendall(b"private")
    data.unwrap().close()
    assert client.reply().code == 226
    assert [path.name for path in served.root.iterdir()] == ["a"]
    assert client.code("QUIT") == 221
    assert client.end.recv(1) == b""


@versions
@in_thread
def test_an_implicit_port(server: Server, version: ssl.TLSVersion) -> None:
    served = server(*IMPLICIT)
    client = implicit(served, client_context(version))
    assert client.code("AUTH TLS") == 503
    client.login()
    assert client.upload("STOR a", CONTENT).code == 226
    assert client.codes("TYPE I", "PBSZ 0", "PROT P") == [200, 200, 200]
    assert client.download("RETR a") == CONTENT
    assert client.code("REIN") == 220
    client.login()
    assert client.download("NLST") == b"a\r\n"
    assert client.code("PROT C") == 200
    assert client.code("QUIT") == 221
    assert client.over()
    assert served.wire().login().code("NOOP") == 200


@pytest.mark.parametrize(
    "said",
    [
        b"USER demo\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff",
        b"\0" * 100,
        b"\x80\x2e",
    ],
    ids=["ftp", "http", "record", "zeros", "ssl2"],
)
@in_thread
def test_what_is_no_handshake_is_closed(server: Server, said: bytes) -> None:
    served = server(*IMPLICIT, "--tls-handshake-timeout", "0.5")
    for end in (implicit_end(served), explicit_end(served)):
        end.send(said)
        assert turned_away(end)
    served.wait_for(served.settled())


def implicit_end(served: RunningService) -> TLSWire:
    end = served.connected((LOCAL, served.ports[-1]))
    return TLSWire(served, end, client_context(), greeted=False)


def explicit_end(served: RunningService) -> TLSWire:
    client = wire(served)
    assert client.code("AUTH TLS") == 234
    return client


@in_thread
def test_a_silent_client_times_out_and_does_not_delay_others(server: Server) -> None:
    served = server(*IMPLICIT, "--tls-handshake-timeout", "0.5")
    stalled = [end(served) for end in (implicit_end, explicit_end) for _ in range(10)]
    stalled[0].send(b"\x16\x03\x01")
    client = implicit(served)
    client.login()
    assert client.code("NOOP") == 200
    for one in stalled:
        assert turned_away(one)
    served.wait_for(lambda: len(served.factory.instances) == 1)
    assert client.code("NOOP") == 200


@in_thread
def test_a_client_that_leaves_in_the_handshake_is_forgotten(server: Server) -> None:
    served = server(*IMPLICIT)
    for end in (implicit_end, explicit_end):
        end(served).drop()
    served.wait_for(served.settled())


@in_thread
def test_session_limits_count_handshakes(server: Server) -> None:
    served = server(*IMPLICIT, "--max-sessions", "2")
    first = implicit_end(served)
    served.wait_for(lambda: served.factory.instances)
    second = explicit_end(served)
    implicit(served)
    first.handshake()
    assert [first.reply().code, first.reply().code] == [220, 421]  # its place was needed
    assert first.over()
    second.drop()


@in_thread
def test_old_tls_versions_are_refused(served: RunningService) -> None:
    client = wire(served)
    client.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.context.check_hostname, client.context.verify_mode = False, ssl.CERT_NONE
    client.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        client.context.minimum_version = ssl.TLSVersion.TLSv1
        client.context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert client.code("AUTH TLS") == 234
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        client.handshake()
    served.wait_for(served.settled())


@in_thread
def test_lines_across_tls_records(served: RunningService) -> None:
    client = wire(served).auth()
    for piece in b"USER demo\r\nPASS demo\r\n":
        client.send(bytes([piece]))
    assert client.replies(2) == [331, 230]
    client.send(b"MKD " + b"d" * 5000 + b"\r\nNOOP\r\n")
    assert client.replies(2) == [500, 200]


@in_thread
def test_back_pressure_with_tls(served: RunningService) -> None:
    client = wire(served).auth().login()
    client.send(b"FEAT\r\n" * 3000)
    assert client.replies(3000) == [211] * 3000
    assert client.code("NOOP") == 200


def offering(*protocols: str) -> ssl.SSLContext:
    context = client_context()
    context.set_alpn_protocols(list(protocols))
    return context


@versions
@pytest.mark.parametrize("first", [True, False], ids=["implicit", "AUTH TLS"])
@in_thread
def test_another_alpn_protocol_gets_an_alert(
    server: Server, version: ssl.TLSVersion, first: bool
) -> None:
    served = server(*IMPLICIT)
    context = client_context(version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    port = served.ports[-1] if first else served.port
    client = TLSWire(served, served.connected((LOCAL, port)), context, greeted=not first)
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        client.handshake() if first else client.auth()
    served.wait_for(served.settled())


@pytest.mark.parametrize("protocols", [("ftp",), ("x-filezilla-ftp", "ftp"), ("http/1.1", "ftp")])
@in_thread
def test_alpn_ftp_is_selected(served: RunningService, protocols: tuple[str, ...]) -> None:
    client = wire(served)
    client.context = offering(*protocols)
    client.auth().login().protect()
    assert client.end.selected_alpn_protocol() == "ftp"
    client.context.set_alpn_protocols(["ftp-data"])
    assert client.upload("STOR a", CONTENT).code == 226
    client.context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        client.data()
    assert client.code("NOOP") == 200

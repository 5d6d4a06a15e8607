"""What connections agree on: versions, names, sessions and tickets, clients' certificates."""

import contextlib
import re
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from weakref import WeakSet

import pytest
from cryptography import x509
from twisted.logger import capturedLogs, formatEvent

from ftpservice.net.tls import server
from ftpservice.net.tls.server import (
    KERNEL_TLS,
    MAX_SESSIONS_PER_CACHE,
    SESSIONS_PER_CACHE,
    CertificateError,
    ServerTLS,
    TLSContexts,
    TLSFiles,
    load_contexts,
)
from tests.support.certificates import Authority, spoil
from tests.support.tls_endpoints import BOTH, TLS12, TLS13, client_context, pair, server_tls
from tests.support.tls_meeting import Meeting

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def meet(request):
    def meet(*args, **kwargs):
        meeting = Meeting(*args, **kwargs)
        request.addfinalizer(meeting.close)
        return meeting

    return meet


@versions
def test_both_versions_are_spoken_with_modern_ciphers(tls, meet, version):
    server = meet(tls.contexts, client_context(version)).server
    assert server.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert "GCM" in server.cipher()[0] or "CHACHA20" in server.cipher()[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_versions_are_not(tls):
    context = client_context(ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        Meeting(tls.contexts, context)


def test_ciphers_without_forward_secrecy_are_not(tls):
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES256-SHA")
    with pytest.raises(ssl.SSLError):
        Meeting(tls.contexts, context)


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["ftp", "x"], "ftp"), (["x"], None), ([], None)], ids=str
)
def test_alpn_is_ftp_where_it_is_offered(tls, meet, offered, chosen):
    context = client_context()
    if offered:
        context.set_alpn_protocols(offered)
    meeting = meet(tls.contexts, context)
    assert meeting.server.selected_alpn_protocol() == chosen
    assert meeting.client.selected_alpn_protocol() == chosen


@versions
def test_a_data_connection_goes_on_with_the_session_of_the_control_connection(tls, meet, version):
    context = client_context(version)
    control = meet(tls.contexts, context)
    session = control.session()
    for _ in range(3):
        data = meet(tls.contexts, context, data=True, session=session).server
        assert data.session_reused
        assert data.session.id == control.server.session.id != b""


@versions
def test_another_session_has_another_number(tls, meet, version):
    context = client_context(version)
    control, other = meet(tls.contexts, context), meet(tls.contexts, context)
    session = other.session()
    data = meet(tls.contexts, context, data=True, session=session).server
    assert data.session_reused
    assert data.session.id != control.server.session.id
    fresh = meet(tls.contexts, context, data=True).server
    assert not fresh.session_reused
    assert fresh.session.id != control.server.session.id


@versions
def test_a_control_connection_that_goes_on_with_a_session_has_one_to_go_on_with(tls, meet, version):
    context = client_context(version)
    first = meet(tls.contexts, context)
    second = meet(tls.contexts, context, session=first.session())
    assert second.server.session_reused
    data = meet(tls.contexts, context, data=True, session=second.session()).server
    assert data.session_reused
    assert data.session.id == second.server.session.id


def test_data_connections_send_no_tickets(tls, meet):
    context = client_context(TLS13)
    control = meet(tls.contexts, context)
    session = control.session()
    for one in (None, session):
        meeting = meet(tls.contexts, context, data=True, session=one)
        with pytest.raises(ssl.SSLWantReadError):
            meeting.client.recv(1)
        with pytest.raises(BlockingIOError):
            socket.socket.recv(meeting.client, 1)
    assert meet(tls.contexts, context).session().has_ticket


def test_a_connection_that_is_gone_already_is_told_by_its_handshake(tls):
    own, other = socket.socket(), socket.socket()
    with own, other:
        server = tls.wrap(own, data=True)
        with server, pytest.raises(OSError):
            server.do_handshake()


def test_so_is_one_that_nobody_can_wrap(tls):
    own, other = pair()
    other.close()
    own.close()
    with tls.wrap(own, data=False) as server, pytest.raises(OSError):
        server.do_handshake()


class TestNames:
    @pytest.fixture
    def contexts(self, authority) -> TLSContexts:
        def named(first: str, *names: str):
            return authority.certificate(first, [x509.DNSName(name) for name in names]), None

        return load_contexts(
            TLSFiles(
                (
                    named("default"),
                    named("exact", "ftp.example", "Two.example"),
                    named("wild", "*.example", "ftp.example"),
                )
            )
        )

    @pytest.mark.parametrize(
        ("name", "subject"),
        [
            (None, "default"),
            ("other", "default"),
            ("ftp.example", "exact"),
            ("FTP.Example", "exact"),
            ("two.example", "exact"),
            ("any.example", "wild"),
            ("a.b.example", "default"),
            ("example", "default"),
        ],
        ids=str,
    )
    @versions
    def test_the_name_that_a_client_wants_picks_the_certificate(
        self, contexts, meet, version, name, subject
    ):
        meeting = meet(contexts, client_context(version), name=name)
        assert meeting.certificate.subject.rfc4514_string() == f"CN={subject}"

    @versions
    def test_sessions_go_on_whatever_was_picked(self, contexts, meet, version):
        context = client_context(version)
        control = meet(contexts, context, name="any.example")
        session = control.session()
        data = meet(contexts, context, data=True, name="any.example", session=session).server
        assert data.session_reused
        assert data.session.id == control.server.session.id


class TestClients:
    @pytest.fixture
    def contexts(self, authority) -> TLSContexts:
        return load_contexts(TLSFiles(((authority.certificate("server"), None),), authority.path))

    @versions
    def test_a_certificate_is_asked_for_and_not_required(self, contexts, meet, version):
        assert meet(contexts, client_context(version)).server.getpeercert() is None

    @versions
    def test_one_of_the_authorities_is_taken(self, contexts, authority, meet, version):
        context = client_context(version)
        context.load_cert_chain(authority.certificate("alice"))
        control = meet(contexts, context)
        assert dict(control.server.getpeercert()["subject"][0]) == {"commonName": "alice"}
        data = meet(contexts, context, data=True, session=control.session()).server
        assert data.session_reused
        assert data.getpeercert() == control.server.getpeercert()

    def test_another_one_is_refused(self, contexts, tmp_path):
        context = client_context()
        context.load_cert_chain(Authority(tmp_path, "stranger").certificate("alice"))
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            Meeting(contexts, context)


class TestReload:
    def test_new_certificates_are_for_new_connections(self, authority, meet):
        path = authority.certificate("one", file="file")
        tls = ServerTLS.load(TLSFiles(((path, None),)))
        before, seen = tls.contexts, tls.certificates
        context = client_context()
        control = meet(before, context)
        authority.certificate("two", file="file")
        tls.reload()
        assert tls.certificates != seen
        assert meet(tls.contexts).certificate.subject.rfc4514_string() == "CN=two"
        data = meet(before, context, data=True, session=control.session()).server
        assert data.session_reused
        assert not meet(tls.contexts, context, session=control.session()).server.session_reused

    @pytest.mark.parametrize("wrong", ["garbage", "expired", "key", "missing", "directory"])
    def test_with_wrong_ones_the_old_stay(self, authority, meet, wrong):
        path = authority.certificate("one", file="file")
        tls = ServerTLS.load(TLSFiles(((path, None),)))
        seen = tls.certificates
        spoil(wrong, path, authority)
        with pytest.raises(CertificateError, match=re.escape(str(path.parent))) as raised:
            tls.reload()
        assert "\n" not in str(raised.value)
        assert tls.certificates is seen
        assert meet(tls.contexts).certificate.subject.rfc4514_string() == "CN=one"


def test_no_certificate_is_a_problem():
    with pytest.raises(CertificateError, match="no certificate is given"):
        load_contexts(TLSFiles(()))


def test_a_key_too_weak_for_openssl_is_told(tmp_path):

    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    authority = Authority(tmp_path)
    key = rsa.generate_private_key(65537, 1024)
    builder = authority._builder(x509.Name([]), key.public_key(), timedelta(days=9))
    path = tmp_path / "weak"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + authority._signed(builder))
    with pytest.raises(CertificateError, match="is of no use: ee key too small"):
        load_contexts(TLSFiles(((path, None),)))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff"], ids=["none", "text", "binary"])
def test_authorities_that_are_none_are_told(authority, tmp_path, content):
    path = tmp_path / "authorities"
    path.write_bytes(content)
    with pytest.raises(CertificateError, match="has no certificates in PEM"):
        load_contexts(TLSFiles(((authority.certificate("x"), None),), path))


def test_kernel_tls_is_asked_for_where_the_interpreter_knows_it(tls):
    assert getattr(ssl, "OP_ENABLE_KTLS", 0) == KERNEL_TLS
    assert tls.contexts._first.options & KERNEL_TLS == KERNEL_TLS


@pytest.mark.parametrize("apart", [False, True], ids=["with the certificate", "in its own file"])
@pytest.mark.parametrize(("mode", "word"), [(0o644, "read"), (0o602, "replace"), (0o640, "")])
def test_a_key_that_everybody_can_read_is_warned_about_at_every_reading(
    tmp_path: Path, mode: int, word: str, apart: bool
) -> None:
    chain = Authority(tmp_path).certificate("server")
    chain.chmod(0o600)
    key = tmp_path / "apart.key" if apart else chain
    key.write_bytes(chain.read_bytes())
    key.chmod(mode)
    with capturedLogs() as events:
        tls = ServerTLS.load(TLSFiles(((chain, key if apart else None),)))
        tls.reload()
    lines = [formatEvent(event) for event in events]
    expected = (
        f"every user of this machine can {word} the private key in {key} (mode {mode:03o}); "
        f"run chmod o= {key}"
    )
    assert lines == ([expected] * 2 if word else [])


def test_paths_may_be_strings():
    files = TLSFiles([("ftp.pem", None), (Path("other.pem"), "other.key")], "ca.pem")
    assert files == TLSFiles(
        ((Path("ftp.pem"), None), (Path("other.pem"), Path("other.key"))), Path("ca.pem")
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("ftp.pem",), r"is 'ftp\.pem', not a tuple of pairs"),
        ((("ftp.pem", None),), "contains 'ftp.pem', and has to be a tuple of pairs"),
        (((("ftp.pem",),),), r"contains \('ftp.pem',\), and"),
        ((((5, None),),), "certificates is the path of a file, not 5"),
        (((), 7), "client_ca is the path of a file, not 7"),
    ],
)
def test_what_is_no_file_is_refused_by_name(given, shown):
    with pytest.raises(TypeError, match=shown):
        TLSFiles(*given)


def test_a_server_is_loaded_from_tls_files_only():
    with pytest.raises(TypeError, match=r"files is a TLSFiles, not 'ftp\.pem'"):
        ServerTLS.load("ftp.pem")


@pytest.fixture
def own_tls(tmp_path):
    return server_tls(tmp_path)


def end(meeting):
    """End a connection in the proper way: OpenSSL forgets the session of one that is cut."""
    for side in (meeting.server, meeting.client):
        with contextlib.suppress(OSError):  # the peer has not ended its side yet
            side.unwrap()
    meeting.close()


def churn(tls, count, version=TLS13):
    """Let control connections come and go; return the contexts that are still alive."""
    alive = WeakSet()
    for _ in range(count):
        contexts = tls.next_contexts()
        alive.add(contexts)
        end(Meeting(contexts, client_context(version)))
    return alive


@versions
def test_sessions_are_forgotten_with_their_connections(own_tls, version):
    alive = churn(own_tls, 3 * SESSIONS_PER_CACHE, version)
    assert set(alive) == {own_tls.contexts}
    assert own_tls.contexts.cached_sessions <= SESSIONS_PER_CACHE


@versions
def test_a_session_that_stays_keeps_its_own_cache_only(own_tls, version):
    context, contexts = client_context(version), own_tls.next_contexts()
    control = Meeting(contexts, context)
    session = control.session()
    assert set(churn(own_tls, 3 * SESSIONS_PER_CACHE, version)) == {contexts, own_tls.contexts}
    assert contexts.cached_sessions <= SESSIONS_PER_CACHE
    data = Meeting(contexts, context, data=True, session=session)
    assert data.server.session_reused
    assert data.server.session.id == control.server.session.id
    data.close()
    control.close()


def test_data_connections_that_do_not_resume_do_not_fill_a_cache(own_tls, monkeypatch):
    monkeypatch.setattr(server, "MAX_SESSIONS_PER_CACHE", 5)
    context, contexts = client_context(TLS12), own_tls.next_contexts()
    for _ in range(12):
        end(Meeting(contexts, context, data=True))
        assert contexts.cached_sessions <= 5
    assert MAX_SESSIONS_PER_CACHE > SESSIONS_PER_CACHE


def test_a_new_cache_has_the_certificates_and_the_time_budget_of_the_former(own_tls, reactor):
    former = own_tls.next_contexts()
    time_budget = former.time_budget(reactor)
    churn(own_tls, SESSIONS_PER_CACHE + 1)
    assert own_tls.contexts is not former
    assert own_tls.contexts.certificates == former.certificates
    assert own_tls.contexts.time_budget(reactor) is time_budget


def test_a_reload_begins_with_an_empty_cache(own_tls):
    churn(own_tls, 3)
    own_tls.reload()
    assert own_tls.contexts.cached_sessions == 0

"""All URL schemes over real sockets with ftpservice: trust, TLS, zero copy, no leaks."""

import contextlib
import os
import ssl

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint

from ftpservice_client import (
    AuthenticationFailed,
    CannotConnect,
    CertificateNotTrusted,
    LocalFileError,
    NetworkError,
    NotFound,
    Settings,
    Trust,
    Unsupported,
    connect,
    connect_endpoint,
    connect_pool,
)
from tests.support.certificates import Authority
from tests.support.loopback import until
from tests.support.raw_client import RunningService, starting

FIXTURES = (starting,)
LOCAL = "127.0.0.1"
SCHEMES = ("ftp", "ftpes", "ftps", "simple", "simples")
SECURED = ("ftpes", "ftps", "simples")
BIG = os.urandom(3_000_000)


def descriptors() -> int:
    """Return the number of open sockets and files; pipes belong to pool threads and stay."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum(link.startswith("socket:") or "/test_" in link for link in links)


class AllSchemesService:
    """A service with listeners for all schemes, and its certificate authority."""

    def __init__(self, served: RunningService, authority: Authority) -> None:
        self.served = served
        self.root = served.root
        self.trust = Trust(ca_file=authority.path)
        control, *others = served.ports
        by_kind = dict(zip(("ftps", "simple", "simples"), others, strict=True))
        self.ports = {"ftp": control, "ftpes": control} | by_kind

    def url(self, scheme: str, path: str = "", user: str = "demo:demo", host: str = LOCAL) -> str:
        return f"{scheme}://{user}@{host}:{self.ports[scheme]}/{path}"

    def settings(self, **others: object) -> Settings:
        return Settings(**({"trust": self.trust, "netrc": None, "timeout": 15.0} | others))


@pytest.fixture
def services(server, tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.certificate("localhost")
    served = server(
        *("--certificate", str(certificate), "--implicit", f"tcp:0:interface={LOCAL}"),
        *("--simple", f"tcp:0:interface={LOCAL}", "--simple-tls", f"tcp:0:interface={LOCAL}"),
    )
    return AllSchemesService(served, authority)


@pytest.mark.parametrize("scheme", SCHEMES)
@ensureDeferred
async def test_upload_and_download(reactor, services, tmp_path, scheme):
    before = descriptors()
    client = await connect(services.url(scheme), reactor=reactor, settings=services.settings())
    source, copy = tmp_path / "source", tmp_path / "copy"
    for content in (b"", b"small", BIG):
        source.write_bytes(content)
        sent = await client.upload(source, "name", verify=True)
        assert (services.root / "name").read_bytes() == content
        received = await client.download("name", copy, verify=True)
        assert copy.read_bytes() == content
        assert sent.digest == received.digest
        assert sent.digest.algorithm == "SHA-256"
        assert (await client.upload(content, "bytes")).size == len(content)
        assert (await client.download("bytes")).data == content
    assert (await client.list()).total == 2 * len(BIG)
    assert (await client.stat("name")).size == len(BIG)
    await client.delete("name")
    with pytest.raises(NotFound):
        await client.download("name", copy)
    assert copy.read_bytes() == BIG
    await client.quit()
    with pytest.raises(NetworkError, match="quit"):
        await client.list()
    await until(reactor, lambda: not services.served.factory.instances)
    await until(reactor, lambda: descriptors() <= before)


@pytest.mark.parametrize("scheme", SECURED)
@ensureDeferred
async def test_an_unknown_certificate_is_not_trusted(reactor, services, scheme):
    nobody = services.settings(trust=Trust())
    with pytest.raises(CertificateNotTrusted, match="fingerprint") as raised:
        await connect(services.url(scheme), reactor=reactor, settings=nobody)
    shown = raised.value.fingerprint
    certificate = services.served.service.parts.factory.tls.certificates[0]
    assert shown == certificate.fingerprint
    assert shown in str(raised.value)
    pinned = services.settings(trust=Trust(fingerprint=shown.lower()))
    client = await connect(services.url(scheme), reactor=reactor, settings=pinned)
    assert (await client.list()).entries == ()
    await client.quit()
    other = services.settings(trust=Trust(fingerprint="00" * 32))
    with pytest.raises(CertificateNotTrusted, match=shown):
        await connect(services.url(scheme), reactor=reactor, settings=other)
    anyone = services.settings(trust=Trust(insecure=True))
    client = await connect(services.url(scheme), reactor=reactor, settings=anyone)
    await client.upload(b"x", "x")
    await client.quit()


@pytest.mark.parametrize("scheme", SECURED)
@ensureDeferred
async def test_a_certificate_of_another_name(reactor, services, scheme):
    place = services.url(scheme, host="other.example")
    endpoint = TCP4ClientEndpoint(reactor, LOCAL, services.ports[scheme])
    with pytest.raises(CertificateNotTrusted, match=r"other\.example"):
        await connect_endpoint(endpoint, place, reactor=reactor, settings=services.settings())


@ensureDeferred
async def test_invalid_ca_files(reactor, services, tmp_path):
    for path in (tmp_path / "none.pem", tmp_path):
        trust = Trust(ca_file=path)
        with pytest.raises(LocalFileError, match=str(path)):
            settings = services.settings(trust=trust)
            await connect(services.url("ftpes"), reactor=reactor, settings=settings)
    (tmp_path / "text.pem").write_text("no certificate")
    settings = services.settings(trust=Trust(ca_file=tmp_path / "text.pem"))
    with pytest.raises(LocalFileError):
        await connect(services.url("ftpes"), reactor=reactor, settings=settings)


@ensureDeferred
async def test_required_tls_refuses_a_server_without_tls(reactor, services):
    for scheme, port in (("ftps", "ftp"), ("simples", "simple")):
        url = services.url(scheme).replace(str(services.ports[scheme]), str(services.ports[port]))
        with pytest.raises(NetworkError, match="TLS"):
            await connect(url, reactor=reactor, settings=services.settings())


@pytest.mark.parametrize("scheme", SCHEMES)
@ensureDeferred
async def test_a_wrong_password(reactor, services, scheme):
    url = services.url(scheme, user="demo:wrong")
    with pytest.raises(AuthenticationFailed):
        await connect(url, reactor=reactor, settings=services.settings())
    await until(reactor, lambda: not services.served.factory.instances)


@pytest.mark.parametrize("scheme", ["ftp", "ftpes"])
@ensureDeferred
async def test_active_data_connections(reactor, services, scheme):
    settings = services.settings(active=True)
    client = await connect(services.url(scheme), reactor=reactor, settings=settings)
    await client.upload(BIG, "big")
    assert (await client.download("big")).data == BIG
    assert [entry.name for entry in (await client.list()).entries] == ["big"]
    with pytest.raises(NotFound):
        await client.download("none")
    await client.quit()


@ensureDeferred
async def test_data_connections_resume_the_tls_session(server, reactor, tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.certificate("localhost")
    served = server("--certificate", str(certificate), "--require-session-reuse")
    settings = Settings(trust=Trust(ca_file=authority.path), netrc=None)
    url = f"ftpes://demo:demo@{LOCAL}:{served.port}/"
    client = await connect(url, reactor=reactor, settings=settings)
    for count in range(5):
        await client.upload(BIG[: count * 100_000], "name")
        assert (await client.download("name")).size == count * 100_000
    download = client.download("name")
    reactor.callLater(0.0005, download.cancel)
    with pytest.raises(CancelledError):
        await download
    assert len((await client.list()).entries) == 1
    await client.quit()


@ensureDeferred
async def test_plaintext_data_connections(reactor, services):
    settings = services.settings(plaintext_data=True)
    client = await connect(services.url("ftpes"), reactor=reactor, settings=settings)
    await client.upload(BIG, "big")
    assert (await client.download("big")).data == BIG
    await client.quit()


@pytest.mark.parametrize("scheme", SCHEMES)
@ensureDeferred
async def test_cancelling_at_any_time_leaves_no_resources(reactor, services, tmp_path, scheme):
    (services.root / "big").write_bytes(BIG * 5)
    before = descriptors()
    settings = services.settings(retries=1, backoff=0.001)
    client = await connect(services.url(scheme), reactor=reactor, settings=settings)
    target, cancelled = tmp_path / "copy", 0
    for step in range(12):
        for call in (client.download("big", target), client.upload(BIG * 5, "up")):
            reactor.callLater(step * 0.0007, call.cancel)
            try:
                await call  # a quick machine may be done before
            except CancelledError:
                cancelled += 1
        target.unlink(missing_ok=True)
        assert (await client.stat("big")).size == len(BIG) * 5
        await until(reactor, lambda: not list(tmp_path.glob("*copy*")))
    assert cancelled > 4
    await client.quit()
    await until(reactor, lambda: not services.served.factory.instances)
    await until(reactor, lambda: descriptors() <= before)


@pytest.mark.parametrize("scheme", SCHEMES)
@ensureDeferred
async def test_a_pool_transfers_files_in_parallel(reactor, services, scheme):
    before = descriptors()
    pool = await connect_pool(
        services.url(scheme), 4, reactor=reactor, settings=services.settings()
    )
    await gatherResults([pool.upload(b"%d" % n * n, f"{n}") for n in range(40)])
    got = await gatherResults([pool.download(f"{n}") for n in range(40)])
    assert [transfer.data for transfer in got] == [b"%d" % n * n for n in range(40)]
    assert 1 < len(services.served.factory.instances) <= 4
    await pool.quit()
    await until(reactor, lambda: not services.served.factory.instances)
    await until(reactor, lambda: descriptors() <= before)


@ensureDeferred
async def test_no_listener(reactor, services):
    port = services.ports["ftp"]
    await services.served.service.stopService()
    for host in (LOCAL, "localhost", "name.invalid"):
        with pytest.raises(CannotConnect, match=f"ftp://{host}:{port}/"):
            await connect(f"ftp://{host}:{port}", reactor=reactor, settings=services.settings())


@ensureDeferred
async def test_tls_needs_a_twisted_reactor(services):
    from ftpservice_client.testing.service import MemoryService

    service = MemoryService({"demo": "demo"})
    error = service.failure(service.connect("ftpes://demo:demo@x/", services.settings()), Exception)
    assert isinstance(error, (Unsupported, ssl.SSLError, NetworkError))

"""What ``docs/deploy`` has containers run: their arguments, their probes, and their end."""

from __future__ import annotations

import ftplib
import io
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.certificate import make_certificate
from benchmarks.ports import reserved_port
from ftpservice.accounts.password_hash import hash_password
from tests.support.docs_pages import DOCS, read
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import PATIENCE, Program, checkout_environment

FTPSERVICE = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()")
POD = "10.244.1.7"
"""The kubelet names the address of a pod in its probes."""


OPTIONAL = re.compile(r"^( *)#(-|  )", re.MULTILINE)
"""The beginning of a line that is to be uncommented."""
DATABASE = "postgresql://ftpservice@db/ftpservice"


def documents(name: str, is_whole: bool = False) -> list[dict[str, Any]]:
    """Return those of a file; the whole one has the lines for a cluster and for metrics, too."""
    yaml = pytest.importorskip("yaml")
    text = read(DOCS / "deploy" / name)
    return list(yaml.safe_load_all(OPTIONAL.sub(r"\1\2", text) if is_whole else text))


class Container:
    """The directories and the ports of a container, in the place of which a test has its own."""

    def __init__(self, directory: Path, ports: Sequence[int]) -> None:
        self.directory = directory
        self.control, passive, self.page = ports
        self._environment = checkout_environment()
        self._places = {
            "/srv/ftp": str(directory / "files"),
            "/var/lib/ftpservice": str(directory / "data"),
            "/etc/ftpservice-tls": str(directory / "tls"),
            "/etc/ftpservice/": f"{directory / 'accounts'}/",
            "=tcp:2121": f"=tcp:{self.control}:interface=127.0.0.1",
            "passive-port=50000": f"passive-port={passive}",
            "=tcp:8021": f"=tcp:{self.page}:interface=127.0.0.1",
            "127.0.0.1:8021": f"127.0.0.1:{self.page}",
            "$(NODE).ftp.example.com": "127.0.0.1",
            "${FTP_ADDRESS:-127.0.0.1}": "127.0.0.1",
        }
        for name in ("files", "data", "tls"):
            (directory / name).mkdir()
        make_certificate(directory / "tls" / "tls.pem")
        accounts = directory / "accounts"
        (accounts / "..version").mkdir(parents=True)
        (accounts / "..version" / "passwd.db").write_text(f"ann:{hash_password('secret')}:/:full\n")
        (accounts / "..version" / "passwd.db").chmod(0o440)
        (accounts / "..data").symlink_to("..version")  # as the kubelet makes volumes of Secrets
        (accounts / "passwd.db").symlink_to("..data/passwd.db")

    def here(self, words: Sequence[str]) -> list[str]:
        """Return the words of a container with the places of the test."""
        found = []
        for word in words:
            for old, new in self._places.items():
                word = word.replace(old, new)
            found.append(word)
        return found

    def use(self, server: PostgreSQL) -> None:
        """Have the database of a cluster, with the password of the Secret."""
        self._places[DATABASE] = server.url(server.new_database(), None)
        self._environment["PGPASSWORD"] = PASSWORD

    def run(self, words: Sequence[str]) -> Program:
        return Program([*FTPSERVICE, *self.here(words)], self.directory, self._environment)

    def serving(self, words: Sequence[str]) -> Program:
        program = self.run(["serve", *words, "--allow-root"])
        program.line(f":{self.control}/")
        return program

    def status(self, path: str) -> int:
        """Return what a probe of the kubelet gets."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.page}{path}", headers={"Host": f"{POD}:8021"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def client(self) -> ftplib.FTP:
        client = ftplib.FTP()
        client.connect("127.0.0.1", self.control, PATIENCE)
        client.login("ann", "secret")
        return client


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(3)]
        yield Container(tmp_path, ports)


@pytest.mark.parametrize("is_whole", [False, True], ids=["plain", "cluster"])
def test_a_pod_is_probed_and_drained_before_it_ends(
    container: Container, postgresql: PostgreSQL, is_whole: bool
) -> None:
    if is_whole:
        container.use(postgresql)
        (job,) = documents("kubernetes-tables.yaml")
        (made,) = job["spec"]["template"]["spec"]["containers"]
        assert made["command"][0] == "ftpservice"
        with container.run([*made["command"][1:], *made["args"]]) as upgraded:
            assert upgraded.ended() == 0, upgraded.output
    found = documents("kubernetes.yaml", is_whole)
    (pods,) = (one for one in found if one["kind"] == "StatefulSet")
    (pod,) = pods["spec"]["template"]["spec"]["containers"]
    paths = [pod[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")]
    ready = pod["readinessProbe"]["httpGet"]["path"]
    assert pod["command"] == ["ftpservice", "serve"]
    before_stop = container.here(pod["lifecycle"]["preStop"]["exec"]["command"])
    assert before_stop[2] == "ftpservice"
    before_stop[2:3] = FTPSERVICE
    with container.serving(pod["args"]) as served, closing(container.client()) as client:
        assert [container.status(path) for path in (*paths, ready)] == [200, 200, 200]
        assert container.status("/metrics") == (200 if is_whole else 404)
        data = client.transfercmd("STOR file")
        data.sendall(b"first ")
        with Program(before_stop, container.directory) as drained:
            while container.status(ready) != 503:
                assert drained.process.poll() is None, drained.output
            assert [container.status(path) for path in paths] == [200, 200]
            data.sendall(b"and last")
            data.close()
            assert client.voidresp().startswith("226")
            assert drained.ended() == 0
            assert "no sessions are accepted; 0 sessions left" in drained.output
        assert served.stopped() == 0
    assert (container.directory / "files" / "file").read_bytes() == b"first and last"


def test_the_service_of_docker_compose_is_healthy_while_it_serves(container: Container) -> None:
    (compose,) = documents("compose.yaml")
    service = compose["services"]["ftp"]
    kind, *check = container.here(service["healthcheck"]["test"])
    assert (kind, check[0]) == ("CMD", "python")
    check[0] = sys.executable
    with container.serving(service["command"]) as served, closing(container.client()) as client:
        with Program(check, container.directory) as checked:
            assert checked.ended() == 0, checked.output
        client.storbinary("STOR file", io.BytesIO(b"content"))
        client.quit()
        assert served.stopped() == 0
        with Program(check, container.directory) as checked:
            assert checked.ended() != 0

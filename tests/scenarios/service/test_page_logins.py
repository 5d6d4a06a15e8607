"""What ends the logins of an account to the page of a whole service, and what does not."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.accounts.foreign_hashes.md5_crypt import md5_crypt
from ftpservice.admin.cli import ftpservice
from tests.support.command_service import SECRET, CommandService
from tests.support.page_client import PageClient
from tests.support.service_process import PATIENCE, Program

STRONG = "correct horse battery staple 9"


class Served:
    """A service with the administrator ``ann`` and the account ``bob``."""

    def __init__(self, service: CommandService, program: Program) -> None:
        self.service, self.program = service, program

    def bob(self, password: str = SECRET) -> PageClient:
        return PageClient(self.program, "bob", password)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = CommandService(tmp_path_factory.mktemp("logins"))
    service.add("--rights", "full,admin")
    service.command("add", "bob", "--root", "/bob", "--password-stdin", "--force")
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--journal=none"]
    with service.serve(*words, "--data-dir=var") as program:
        yield Served(service, program)
        assert program.stopped() == 0


def ends(client: PageClient) -> bool:
    """Return whether a login ends within the time in which changes are noticed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if client.ask("GET", "/login")[0].status == 401:
            return True
        time.sleep(0.1)
    return False


def token(served: Served) -> str:
    place = ["--data-dir", str(served.service.place / "var")]
    words = ["token", "add", f"t{time.time()}", "--scope", "read", *place]
    return CliRunner().invoke(ftpservice, words).output.strip()


def test_another_password_ends_the_logins_and_no_token(served: Served) -> None:
    first, second, ann = served.bob(), served.bob(), PageClient(served.program)
    program = token(served)
    given = {"password": STRONG}
    assert ann.ask("POST", "/api/v1/accounts/bob/password", given)[0].status == 200
    assert ends(first)
    assert ends(second)
    again = served.bob(STRONG)
    served.service.command("passwd", "bob", "--password-stdin", "--force")
    assert ends(again)
    connection = http.client.HTTPConnection("127.0.0.1", ann.port, PATIENCE)
    headers = {"Authorization": f"Bearer {program}"}
    connection.request("GET", "/api/v1/service", headers=headers)
    assert connection.getresponse().status == 200
    connection.close()
    assert ann.ask("GET", "/login")[0].status == 200


def test_a_second_factor_that_a_command_adds_or_removes_ends_the_logins(served: Served) -> None:
    place = ["--data-dir", str(served.service.place / "var")]
    bob = served.bob()
    words = ["user", "second-factor", "add", "bob", *place]
    done = CliRunner().invoke(ftpservice, words)
    assert done.exit_code == 0, done.output
    assert ends(bob)
    ann = PageClient(served.program)
    assert ann.ask("DELETE", "/api/v1/second-factors/bob")[0].status == 200
    assert served.bob().ask("GET", "/login")[0].status == 200


def test_a_hash_that_is_replaced_after_a_login_ends_nothing(served: Served) -> None:
    file = Path(served.service.place / "passwd.db")
    lines = file.read_text().splitlines(keepends=True)
    bob = next(line for line in lines if line.startswith("bob:"))
    name, _hash, rest = bob.split(":", 2)
    old = "$1$saltsalt$" + md5_crypt(SECRET.encode(), b"saltsalt", b"$1$")
    file.write_text("".join(lines).replace(bob, f"{name}:{old}:{rest}"))
    client = served.bob()
    deadline = time.monotonic() + PATIENCE
    while old in file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for _ in range(3):
        time.sleep(1.0)
        assert client.ask("GET", "/login")[0].status == 200
    client.ask("DELETE", "/login")

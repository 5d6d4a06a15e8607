"""``--check`` tells whether the service would start, and leaves everything as it is."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.testing import MemoryReactorClock

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.cluster.last_share import SHARE_FILE, save_share
from ftpservice.cluster.place_leases import ShareRule
from ftpservice.net.tls.self_signed import self_signed_certificate
from ftpservice.service.assembly import assemble
from ftpservice.service.log.setup import logs_for
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.privileges import Privileges, owner_for
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.tap import Options
from tests.accounts.doubles import SECRET
from tests.support.cluster import cluster_url
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.unprivileged import needs_root

ALICE = "--auth=memory:alice:secret"
ACME = ("--acme=a.example", "--acme-agree-tos", "--data-dir=var")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(*words: str) -> str | int | None:
    """Return how the process would end."""
    options = Options()
    options.is_for_command = True
    with pytest.raises(SystemExit) as ended:
        options.parseOptions(["--check", "--allow-root", *words])
    return ended.value.code


def test_what_is_good_ends_well_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(ALICE, "--listen=tcp:2121", "--log-file=x.log") == 0
    assert capsys.readouterr() == ("ftpservice: the settings are valid\n", "")
    assert os.listdir(tmp_path) == []


def test_nothing_of_the_storage_is_left_running(tmp_path: Path) -> None:
    before = reactor.getDelayedCalls()
    assert checked(ALICE, "--listen=tcp:2121", "--root=.") == 0
    assert reactor.getDelayedCalls() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bogus",), "option --bogus not recognized"),
        (("--listen=nonsense:1",), "--listen nonsense:1 is not an endpoint"),
    ],
)
def test_options_that_are_wrong_are_one_line(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    code = checked(ALICE, *words)
    assert isinstance(code, str)
    assert code.startswith("ftpservice: ")
    assert message in code
    assert os.listdir(tmp_path) == []


FILES = {"file": "", "bad": "10.0.0.0/8\nnonsense\n", "state/bans.json": "[", "own/x": ""}
"""Besides them: a FIFO, links, and a certificate that is none."""


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Provide files and directories, most of them of no use."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own" / "certificate.pem").write_text("none")
    os.mkfifo(tmp_path / "fifo")
    for name in ("linked", "waiting"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked" / "bans.json").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "waiting" / "bans.json")
    return tmp_path


def started(*words: str) -> str:
    """Return the line with which a start ends."""
    options = ServiceOptions()
    options.is_for_command = True
    options.parseOptions([ALICE, *words])
    reactor = MemoryReactorClock()
    with pytest.raises(CannotStart) as ended:
        if "--allow-root" not in words:
            Privileges(options, str).refuse_root()
        logs_for({"nodaemon": True}, options.settings.log_file, owner_for(options)).close()
        service = assemble(options, reactor, OperatorConsole(StringIO(), StringIO(), logged=False))
        service.privilegedStartService()
    return ended.value.line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--listen=nonsense:1",), "--listen nonsense:1 is not an endpoint"),
        (("--listen=tcp:2121", "--implicit=tcp:2121"), "--implicit tcp:2121: --listen tcp:2121"),
        (
            ("--listen=tcp:2121", "--passive-port=2121"),
            "--passive-port 2121: --listen tcp:2121 has the same port - choose another port",
        ),
        (("--root=none",), "--root: storage 'local:"),
        (("--root=none", "--data-dir=var"), "none: no such directory"),
        (("--root=var/files", "--data-dir=var"), "var/files: no such directory"),
        (("--root=file", "--data-dir=var"), "file: not a directory"),
        (("--root=bogus:x",), "--root: unknown storage 'bogus:'"),
        (("--certificate=none.pem",), "none.pem cannot be read"),
        (("--certificate=fifo",), "fifo cannot be read: it is not a regular file"),
        (("--client-ca=file",), "file has no certificates in PEM"),
        (("--data-dir=own",), "own/certificate.pem has no certificate in PEM"),
        (("--data-dir=file",), "file - make it a writable directory"),
        (("--data-dir=none/var",), "none/var: no such file or directory - create it"),
        (("--data-dir=file/var",), "file/var: not a directory - create it"),
        (("--log-file=none/x.log",), "cannot write the log "),
        (("--log-file=.",), ": is a directory - "),
        (("--log-file=fifo",), "fifo: no such device or address - "),
        (("--xferlog=none/x.log",), "--xferlog: cannot write {tmp_path}/none/x.log: no such file"),
        (("--xferlog=fifo",), "--xferlog: cannot write {tmp_path}/fifo: no such device"),
        (("--deny-networks=none",), "--deny-networks: {tmp_path}/none: no such file"),
        (("--deny-networks=bad",), "--deny-networks: {tmp_path}/bad, line 2: 'nonsense'"),
        (("--allow-networks=bad",), "--allow-networks: {tmp_path}/bad, line 2: 'nonsense'"),
        (("--allow-networks=fifo",), "--allow-networks: {tmp_path}/fifo: it is not a regular"),
        (("--allow-networks=own",), "--allow-networks: {tmp_path}/own: it is not a regular"),
        (("--data-dir=state",), "the bans in {tmp_path}/state/bans.json cannot be read: it is not"),
        (("--data-dir=linked",), "it is a symbolic link, not a file - restore"),
        (("--data-dir=waiting",), "it is not a regular file - restore the file or remove it"),
        (("--control-socket=none/s",), "--control-socket {tmp_path}/none/s: no such file"),
        (("--control-socket=file",), "--control-socket {tmp_path}/file: there is another file"),
        ((f"--control-socket={'x' * 120}",), "file name too long"),
        (("--uid=no-such-user",), "--uid no-such-user: there is no such user"),
        (("--gid=0",), "--gid needs --uid"),
        ((*ACME, "--acme-ca-file=none"), "--acme-ca-file: {tmp_path}/none cannot be read"),
        ((*ACME, "--acme-http=x:1"), "--acme-http x:1 is not an endpoint"),
    ],
)
def test_the_check_refuses_what_the_start_refuses(
    prepared: Path, words: tuple[str, ...], message: str
) -> None:
    """With the same text, and without a trace of it."""
    before = sorted(prepared.rglob("*"))
    words = words if words[0].startswith("--root") else ("--root=memory:", *words)
    code = checked(ALICE, *words)
    assert sorted(prepared.rglob("*")) == before
    assert message.format(tmp_path=prepared) in str(code)
    assert code == f"ftpservice: {started('--allow-root', *words)}"


@needs_root
@pytest.mark.parametrize("words", [(), ("--uid=0",)])
def test_the_check_refuses_root_like_the_start(words: tuple[str, ...]) -> None:
    options = Options()
    options.is_for_command = True
    with pytest.raises(SystemExit) as ended:
        options.parseOptions(["--check", ALICE, *words])
    assert ended.value.code == f"ftpservice: {started(*words)}"


@needs_root
def test_the_check_of_root_looks_as_the_user_that_the_service_becomes(open_place: Path) -> None:
    (open_place / "closed").mkdir(mode=0o700)
    (open_place / "networks").touch(mode=0o600)
    for words, message in (
        (
            ("--root=memory:", "--data-dir={}/closed"),
            "closed - make it a writable directory of user",
        ),
        (("--root={}/closed",), "closed: not writable for this process"),
        (("--root=memory:", "--deny-networks={}/networks"), "networks: permission denied"),
    ):
        given = [word.format(open_place) for word in words]
        code = checked(ALICE, "--uid=nobody", *given)
        assert message in str(code)
        assert code == f"ftpservice: {started('--uid=nobody', *given)}"


def test_a_root_in_the_data_directory_is_created_by_the_start() -> None:
    assert checked(ALICE, "--data-dir=var", "--root=var") == 0


def test_a_shipped_password_beyond_this_machine_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "passwd.db").write_text(f"demo:{SHIPPED_HASH}:/:full\n")
    for place in ("tcp:2121", "tcp6:2121"):
        code = checked(f"--listen={place}")
        assert isinstance(code, str)
        assert "the password of 'demo' in " in code
    assert checked("--listen=tcp:2121:interface=127.0.0.1") == 0


def test_certificates_that_are_there_are_good(tmp_path: Path) -> None:
    assert checked(ALICE, f"--certificate={self_signed_certificate(tmp_path)}") == 0


def test_a_key_that_everybody_can_read_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = self_signed_certificate(tmp_path)
    path.chmod(0o644)
    assert checked(ALICE, f"--certificate={path}") == 0
    [line] = capsys.readouterr().err.splitlines()
    assert "every user of this machine can read the private key" in line


def test_a_load_balancer_that_everybody_can_be_is_warned_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--passive-proxied=0.0.0.0/0", "--passive-proxied=10.0.0.2")
    assert checked(ALICE, *words) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ftpservice: warning: --passive-proxied 0.0.0.0/0: whoever connects")


def test_lines_that_close_an_account_only_are_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "passwd.db").write_text(f"ann:{SECRET}:/:full\nbob:{SECRET}:/:raed\n")
    assert checked() == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ftpservice: warning: {tmp_path}/passwd.db, line 2: ")


def test_a_database_of_a_cluster_that_cannot_be_used_prevents_the_first_start(
    postgresql: PostgreSQL, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "ftpservice.toml"

    def checked_with(url: str) -> str | int | None:
        settings.write_text(f'cluster = "{url}"\njournal = "off"\ndata-dir = "var"\n')
        return checked(ALICE, f"--config={settings}")

    def warnings(url: str) -> list[str]:
        assert checked_with(url) == 0
        return capsys.readouterr().err.splitlines()

    empty = postgresql.url(postgresql.new_database())
    wrong = empty.replace(PASSWORD, "wrong")
    for url, reason in ((wrong, "password authentication failed"), (empty, "db upgrade")):
        code = str(checked_with(url))
        assert code.startswith("ftpservice: --cluster: postgresql://")
        assert reason in code
        assert code.endswith(
            "; a node that has never been in its cluster does not start without the database"
        )
    assert warnings(cluster_url(postgresql)) == []
    (tmp_path / "var").mkdir()
    save_share(tmp_path / "var" / SHARE_FILE, ShareRule(2, 0))
    [line] = warnings(wrong)
    assert line.startswith("ftpservice: warning: --cluster: postgresql://")
    assert line.endswith("the node would serve alone until the database can be used")

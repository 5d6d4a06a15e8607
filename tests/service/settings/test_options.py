from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, FilePasswordDB
from twisted.cred.strcred import findCheckerFactories
from twisted.python import usage

from ftpservice import __version__
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.setting import TABLES
from ftpservice.service.settings.settings import SETTINGS, ServiceSettings
from ftpservice.service.tap import Options as TerminalOptions

MEMORY = "--auth=memory:alice:secret"
ACCOUNT = (
    "alice:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA"
    "$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ:/:full\n"
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options(*words: str) -> ServiceOptions:
    parsed = ServiceOptions()
    parsed.parseOptions(list(words))
    return parsed


def settings(*words: str) -> ServiceSettings:
    return options(MEMORY, *words).settings


def complaint(*words: str) -> str:
    with pytest.raises(usage.UsageError) as caught:
        options(*words)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_without_options_it_serves_passwd_db_on_loopback(elsewhere: Path) -> None:
    (elsewhere / "passwd.db").write_text(ACCOUNT)
    parsed = options()
    assert isinstance(parsed.checkers[0], PasswordFileChecker)
    assert parsed.settings.listen == ("tcp:2121:interface=127.0.0.1",)
    assert not parsed.settings.session.anonymous


def test_without_accounts_the_error_names_the_options() -> None:
    assert "--auth passwd:FILE" in complaint()
    assert "--anonymous" in complaint("--root=/srv")


def test_anonymous_alone_needs_no_accounts(elsewhere: Path) -> None:
    (elsewhere / "passwd.db").write_text(ACCOUNT)
    parsed = options("--anonymous", "--anonymous-root=/pub")
    assert parsed.checkers == []
    assert parsed.settings.session.anonymous
    assert str(parsed.settings.anonymous_root) == "/pub"


def test_the_stock_anonymous_checker_means_the_same() -> None:
    parsed = options("--auth=anonymous")
    assert isinstance(parsed.checkers[0], AllowAnonymousAccess)
    assert parsed.settings.session.anonymous


def test_lists_take_every_occurrence() -> None:
    parsed = settings(
        "--listen=tcp:1", "--listen=tcp6:2", "--passive-address=192.0.2.1",
        "--passive-address=10.0.0.0/8=10.0.0.5",
    )  # fmt: skip
    assert parsed.listen == ("tcp:1", "tcp6:2")
    assert len(parsed.session.data.passive_addresses) == 2


def test_checkers_add_up(elsewhere: Path) -> None:
    (elsewhere / "plain").write_text("bob:secret\n")
    parsed = options(MEMORY, "--auth=file:plain")
    assert isinstance(parsed.checkers[1], FilePasswordDB)


def test_a_file_speaks_where_the_command_line_is_silent(elsewhere: Path) -> None:
    (elsewhere / "x.toml").write_text(
        'auth = ["memory:a:b"]\nlisten = ["tcp:21"]\nmax-sessions = 7\nidle-timeout = 8\n'
    )
    parsed = options("--config=x.toml", "--max-sessions=9")
    assert parsed.settings.listen == ("tcp:21",)
    assert parsed.settings.session.max_sessions == 9
    assert parsed.settings.session.idle_timeout == 8
    assert list(parsed.checkers[0].users) == ["a"]


def test_auth_on_the_command_line_replaces_that_of_the_file(elsewhere: Path) -> None:
    (elsewhere / "x.toml").write_text('auth = ["memory:a:b"]\n')
    assert list(options("-c", "x.toml", MEMORY).checkers[0].users) == ["alice"]


def test_a_wrong_file_is_named(elsewhere: Path) -> None:
    (elsewhere / "x.toml").write_text("maxsessions = 1\n")
    assert complaint(MEMORY, "--config=x.toml").startswith("--config x.toml, line 1, maxsessions:")


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("--bogus", "bogus"),
        ("--root", "root"),
        ("--root=", "--root: "),
        ("--listen=", "--listen: "),
        ("--max-sessions=x", "--max-sessions: "),
        ("--idle-timeout=-1", "--idle-timeout: "),
        ("--umask=9", "--umask: "),
        ("--passive-ports=9-1", "--passive-ports: "),
        ("--passive-port=9-10", "--passive-port: "),
        ("--passive-port=65536", "--passive-port: "),
        ("--passive-address=a b", "--passive-address: "),
        ("--config=none.toml", "--config none.toml: no such file"),
        ("--auth=bogus:x", "--help-auth"),
        ("--auth=passwd:none.db", "none.db"),
        ("--auth=memory:a", "--auth: "),
        ("--auth=sshkey:x", "--auth"),
        ("extra", "'extra'"),
    ],
)
def test_an_error_is_one_line_that_names_the_option(word: str, what: str) -> None:
    assert what in complaint(MEMORY, word)


def test_a_checker_for_other_logins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange:
        credentialInterfaces = ()

    monkeypatch.setattr("twisted.cred.strcred.makeChecker", lambda description: Strange())
    assert "neither passwords nor anonymous logins" in complaint("--auth=strange:")


def test_help_names_every_setting_and_its_default() -> None:
    text = str(ServiceOptions())
    for name, setting in SETTINGS.items():
        assert (f"--{name}" in text) is (setting.kind is not TABLES)
    assert "10000]" in text


def test_help_auth_offers_ours_and_all_the_stock_kinds_for_passwords(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered = {factory.authType for factory in ServiceOptions()._checkerFactoriesForOptHelpAuth()}
    assert {"passwd", "memory", "file", "anonymous"} <= offered
    assert offered <= {factory.authType for factory in findCheckerFactories()}


def test_the_version_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"ftpservice {__version__}\n"


def test_at_a_terminal_a_wrong_word_is_one_line_and_the_end() -> None:
    with pytest.raises(SystemExit) as caught:
        TerminalOptions().parseOptions(["--bogus"])
    assert str(caught.value.code).startswith("ftpservice: ")
    assert "\n" not in str(caught.value.code)
    TerminalOptions().parseOptions([MEMORY])


@pytest.mark.parametrize(
    ("text", "at"),
    [("03:00", time(3)), ("4:05", time(4, 5)), ("23:59", time(23, 59)), ("none", None)],
)
def test_a_time_of_the_day(text: str, at: time | None) -> None:
    assert settings(f"--retention-time={text}").retention_time == at


@pytest.mark.parametrize("text", ["24:00", "3", "03:60", "3:00 pm", "noon", "-1:00", "٣:00"])
def test_what_is_no_time_of_the_day_is_refused(text: str) -> None:
    assert "is not a time of the day such as 03:00" in complaint(MEMORY, f"--retention-time={text}")

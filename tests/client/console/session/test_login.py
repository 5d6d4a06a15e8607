"""Connections and logins: open, user, pass, close, quit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice_client import AuthenticationFailed, CannotConnect, Destination, Settings
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import ConsoleError, NotConnected, UsageError
from tests.support.shell_session import MemoryPendingLogin, MemoryShell

GOOD = "secret"


class Server:
    """Accepts ann, and anonymous if ``anonymous`` is set; records the logins."""

    def __init__(self, shell: MemoryShell, anonymous: bool) -> None:
        self.shell = shell
        self.anonymous = anonymous
        self.logins: list[str] = []
        self.settings: Settings | None = None

    def connect(
        self, destination: Destination, *, reactor: Any, settings: Settings
    ) -> Deferred[Any]:
        self.logins.append(
            f"{destination.user}:{destination.password}@{destination.host}/{destination.path}"
        )
        self.settings = settings
        if destination.password == GOOD or (self.anonymous and not destination.user):
            self.shell.client = self.shell.new_client()
            return succeed(self.shell.client)
        return fail(AuthenticationFailed("the name or the password is wrong"))

    def connect_without_login(
        self, destination: Destination, *, reactor: Any, settings: Settings
    ) -> Deferred[Any]:
        self.pending = MemoryPendingLogin(destination, self.connect)
        return succeed(self.pending)


def new_shell(
    monkeypatch: pytest.MonkeyPatch,
    *answers: str,
    interactive: bool = True,
    anonymous: bool = False,
) -> tuple[MemoryShell, Server]:
    shell = MemoryShell(*answers, interactive=interactive)
    server = Server(shell, anonymous)
    monkeypatch.setattr(session_module, "connect", server.connect)
    monkeypatch.setattr(session_module, "connect_without_login", server.connect_without_login)
    return shell, server


def new_interactive_shell(
    monkeypatch: pytest.MonkeyPatch, *answers: str, anonymous: bool = False
) -> tuple[MemoryShell, Server]:
    """Return a memory shell that behaves as the interactive shell."""
    shell, server = new_shell(monkeypatch, *answers, anonymous=anonymous)
    shell.session.is_shell = True
    return shell, server


def test_a_complete_url_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch)
    assert shell.session.prompt == "ftpservice> "
    shell.run("CONN ftp://ann:secret@h:2121/in")
    assert server.logins == ["ann:secret@h/in"]
    assert shell.session.prompt == "ann@h:/in> "
    assert GOOD not in shell.out.text


def test_missing_parts_of_a_url_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch, "h", "ann", GOOD)
    shell.run("open")
    assert server.logins == [":None@h/", "ann:secret@h/"]
    assert shell.prompter.questions == [("URL: ", False), ("User: ", False), ("Password: ", True)]


def test_an_anonymous_login_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, _ = new_shell(monkeypatch, anonymous=True)
    shell.run("open h")
    assert shell.prompter.questions == []
    assert shell.session.prompt == "h:/in> "


def test_a_wrong_password_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch, "wrong")
    assert isinstance(shell.error("open ftp://ann:wrong@h"), AuthenticationFailed)
    assert isinstance(shell.error("open ftp://ann@h"), AuthenticationFailed)
    assert server.logins == ["ann:wrong@h/", "ann:wrong@h/"]


def test_netrc_comes_before_the_prompt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shell, server = new_shell(monkeypatch)
    (tmp_path / "netrc").write_text(f"machine h login ann password {GOOD}\n")
    (tmp_path / "netrc").chmod(0o600)
    shell.session.settings = Settings(netrc=tmp_path / "netrc")
    shell.run("open h")
    assert server.logins == ["ann:secret@h/"]
    assert shell.session.prompt == "ann@h:/in> "


def test_user_and_pass_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch, interactive=False)
    shell.run("CONN h")
    assert "USER and PASS" in shell.out.text
    assert isinstance(shell.error("ls"), NotConnected)
    assert isinstance(shell.error("pass x"), UsageError)
    shell.run("USER ann")
    shell.run("PASS secret")
    assert server.logins[-1] == "ann:secret@h/"
    assert shell.session.prompt == "ann@h:/in> "
    assert isinstance(shell.error("open ftp://ann@h"), AuthenticationFailed)


def test_open_takes_a_port_and_user_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch, anonymous=True)
    shell.run("open h 2121")
    assert shell.session.destination is not None
    assert shell.session.destination.port == 2121
    shell.run("user ann secret")
    assert server.logins[-1] == "ann:secret@h/"
    assert shell.prompter.questions == []
    for port in ("ftp", "0", "65536"):
        assert isinstance(shell.error(f"open h {port}"), UsageError)


def test_a_second_login_closes_the_first_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch, "ann", GOOD, "", GOOD, anonymous=True)
    shell.run("open h")
    first = shell.client
    shell.run("user")
    assert server.logins[-1] == "ann:secret@h/"
    first.quit.assert_called_once_with()
    shell.run("user ann")
    assert len(server.logins) == 2
    shell.run("pass")
    assert len(server.logins) == 3
    assert shell.prompter.questions[-1] == ("Password: ", True)


def test_a_failed_open_keeps_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, _ = new_shell(monkeypatch)
    shell.run("open ftp://ann:secret@h")
    first = shell.client
    monkeypatch.setattr(session_module, "connect", lambda *_, **__: fail(CannotConnect("refused")))
    assert isinstance(shell.error("open ftp://ann:secret@other"), CannotConnect)
    first.quit.assert_not_called()
    assert shell.session.prompt == "ann@h:/in> "


def test_close_stays_in_the_shell_and_quit_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, _ = new_shell(monkeypatch)
    shell.run("open ftp://ann:secret@h")
    shell.run("close")
    shell.client.quit.assert_called_once_with()
    assert not shell.session.is_leaving
    assert shell.session.prompt == "ftpservice> "
    shell.run("bye")
    assert shell.session.is_leaving


def test_pasv_selects_active_or_passive_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, server = new_shell(monkeypatch)
    assert "Active" in shell.run("pasv off")
    shell.run("open ftp://ann:secret@h")
    assert server.settings is not None
    assert server.settings.active
    assert "Passive" in shell.run("PASV")
    assert not server.settings.active
    assert server.logins[-1] == "ann:secret@h//in"
    assert "Passive" in shell.run("pasv on")
    assert len(server.logins) == 2
    assert isinstance(shell.error("pasv maybe"), UsageError)


def test_an_empty_answer_cancels_open(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, _ = new_shell(monkeypatch, "")
    assert isinstance(shell.error("open"), ConsoleError)


def test_the_shell_prints_the_greeting_and_waits_for_user_and_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_interactive_shell(monkeypatch, GOOD)
    output = shell.run("CONN h 2121")
    assert output.splitlines() == [
        "Welcome to the\\x1b[31m files",
        "of h",
        "Connected to h without TLS.",
        "Log in with USER and PASS.",
    ]
    assert server.logins == []
    assert shell.session.prompt == "h> "
    assert shell.run("USER ann") == "Logged in as ann.\n"
    assert shell.prompter.questions == [("Password: ", True)]
    assert server.logins == ["ann:secret@h/"]
    assert shell.session.prompt == "ann@h:/in> "
    assert shell.run("close") == "Disconnected from server\n"


@pytest.mark.parametrize("answers", [(f"PASS {GOOD}",), (f"pass {GOOD}",), ("PASS", GOOD)])
def test_pass_may_be_typed_at_the_password_prompt(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...]
) -> None:
    shell, server = new_interactive_shell(monkeypatch, *answers)
    shell.run("conn h")
    shell.run("user ann")
    assert server.logins == ["ann:secret@h/"]


def test_user_may_be_typed_at_the_user_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_shell(monkeypatch, "USER ann", f"PASS {GOOD}")
    shell.run("open h")
    assert server.logins[-1] == "ann:secret@h/"


def test_a_url_with_a_password_logs_in_on_the_greeted_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_interactive_shell(monkeypatch)
    assert "Connected to h with TLS." in shell.run("open ftps://ann:secret@h/in")
    assert server.logins == ["ann:secret@h/in"]
    assert not server.pending.closed


def test_commands_log_in_as_anonymous_if_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_interactive_shell(monkeypatch, anonymous=True)
    shell.run("open h")
    assert "Logged in as anonymous." in shell.run("pwd")
    assert server.logins == [":None@h/"]
    refusing, server = new_interactive_shell(monkeypatch)
    refusing.run("open h")
    error = refusing.error("pwd")
    assert isinstance(error, AuthenticationFailed)
    assert "USER and PASS" in str(error)
    assert refusing.session.prompt == "h> "


def test_after_a_wrong_password_the_connection_waits_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_interactive_shell(monkeypatch)
    shell.run("CONN h")
    assert isinstance(shell.error("USER ann wrong"), AuthenticationFailed)
    assert shell.session.prompt == "h> "
    assert shell.run("PASS secret") == "Logged in as ann.\n"
    assert server.logins == ["ann:wrong@h/", "ann:secret@h/"]
    assert shell.session.prompt == "ann@h:/in> "


def test_the_shell_prints_connected_for_the_simple_protocol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, _ = new_interactive_shell(monkeypatch)
    assert shell.run("open simple://ann:secret@h") == "Connected to h without TLS.\n"
    assert shell.run("open simples://ann:secret@h") == "Connected to h with TLS.\n"


def test_open_closes_a_connection_without_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, server = new_interactive_shell(monkeypatch)
    shell.run("open h")
    first = server.pending
    shell.run("open other")
    assert first.closed
    shell.run("quit")
    assert server.pending.closed

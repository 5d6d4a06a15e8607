"""Coming, going, and who one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice_client import AuthenticationFailed, CannotConnect, Destination, Settings
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import NotConnected, ShellError, ShellUsageError
from tests.support.shell_session import Seat, Welcome

GOOD = "secret"


class Server:
    """Lets ann in, and anonymous if it is said to; remembers who came."""

    def __init__(self, seat: Seat, anonymous: bool) -> None:
        self.seat = seat
        self.anonymous = anonymous
        self.came: list[str] = []
        self.settings: Settings | None = None

    def connect(self, place: Destination, *, reactor: Any, settings: Settings) -> Deferred[Any]:
        self.came.append(f"{place.user}:{place.password}@{place.host}/{place.path}")
        self.settings = settings
        if place.password == GOOD or (self.anonymous and not place.user):
            self.seat.client = self.seat.new_client()
            return succeed(self.seat.client)
        return fail(AuthenticationFailed("the name or the password is wrong"))

    def connect_without_login(
        self, place: Destination, *, reactor: Any, settings: Settings
    ) -> Deferred[Any]:
        self.greeted = Welcome(place, self.connect)
        return succeed(self.greeted)


def seat_with(
    monkeypatch: pytest.MonkeyPatch, *answers: str, attended: bool = True, anonymous: bool = False
) -> tuple[Seat, Server]:
    seat = Seat(*answers, attended=attended)
    server = Server(seat, anonymous)
    monkeypatch.setattr(session_module, "connect", server.connect)
    monkeypatch.setattr(session_module, "connect_without_login", server.connect_without_login)
    return seat, server


def shell_with(
    monkeypatch: pytest.MonkeyPatch, *answers: str, anonymous: bool = False
) -> tuple[Seat, Server]:
    """Return a seat at the interactive shell."""
    seat, server = seat_with(monkeypatch, *answers, anonymous=anonymous)
    seat.session.shell = True
    return seat, server


def test_a_url_may_say_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch)
    assert seat.session.prompt == "ftpservice> "
    seat.type("CONN ftp://ann:secret@h:2121/in")
    assert server.came == ["ann:secret@h/in"]
    assert seat.session.prompt == "ann@h:/in> "
    assert GOOD not in seat.out.text


def test_what_it_does_not_say_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch, "h", "ann", GOOD)
    seat.type("open")
    assert server.came == [":None@h/", "ann:secret@h/"]
    assert seat.person.asked == [("URL: ", False), ("User: ", False), ("Password: ", True)]


def test_anonymous_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, _ = seat_with(monkeypatch, anonymous=True)
    seat.type("open h")
    assert seat.person.asked == []
    assert seat.session.prompt == "h:/in> "


def test_a_wrong_password_is_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch, "wrong")
    assert isinstance(seat.wrong("open ftp://ann:wrong@h"), AuthenticationFailed)
    assert isinstance(seat.wrong("open ftp://ann@h"), AuthenticationFailed)
    assert server.came == ["ann:wrong@h/", "ann:wrong@h/"]


def test_netrc_is_asked_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seat, server = seat_with(monkeypatch)
    (tmp_path / "netrc").write_text(f"machine h login ann password {GOOD}\n")
    (tmp_path / "netrc").chmod(0o600)
    seat.session.settings = Settings(netrc=tmp_path / "netrc")
    seat.type("open h")
    assert server.came == ["ann:secret@h/"]
    assert seat.session.prompt == "ann@h:/in> "


def test_user_and_pass_log_in_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch, attended=False)
    seat.type("CONN h")
    assert "USER and PASS" in seat.out.text
    assert isinstance(seat.wrong("ls"), NotConnected)
    assert isinstance(seat.wrong("pass x"), ShellUsageError)
    seat.type("USER ann")
    seat.type("PASS secret")
    assert server.came[-1] == "ann:secret@h/"
    assert seat.session.prompt == "ann@h:/in> "
    assert isinstance(seat.wrong("open ftp://ann@h"), AuthenticationFailed)


def test_the_ways_of_older_clients_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch, anonymous=True)
    seat.type("open h 2121")
    assert seat.session.place is not None
    assert seat.session.place.port == 2121
    seat.type("user ann secret")
    assert server.came[-1] == "ann:secret@h/"
    assert seat.person.asked == []
    for port in ("ftp", "0", "65536"):
        assert isinstance(seat.wrong(f"open h {port}"), ShellUsageError)


def test_another_user_takes_the_place_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch, "ann", GOOD, "", GOOD, anonymous=True)
    seat.type("open h")
    first = seat.client
    seat.type("user")
    assert server.came[-1] == "ann:secret@h/"
    first.quit.assert_called_once_with()
    seat.type("user ann")
    assert len(server.came) == 2
    seat.type("pass")
    assert len(server.came) == 3
    assert seat.person.asked[-1] == ("Password: ", True)


def test_a_connection_that_cannot_be_made_leaves_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, _ = seat_with(monkeypatch)
    seat.type("open ftp://ann:secret@h")
    first = seat.client
    monkeypatch.setattr(session_module, "connect", lambda *_, **__: fail(CannotConnect("refused")))
    assert isinstance(seat.wrong("open ftp://ann:secret@other"), CannotConnect)
    first.quit.assert_not_called()
    assert seat.session.prompt == "ann@h:/in> "


def test_close_stays_and_quit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, _ = seat_with(monkeypatch)
    seat.type("open ftp://ann:secret@h")
    seat.type("close")
    seat.client.quit.assert_called_once_with()
    assert not seat.session.leaving
    assert seat.session.prompt == "ftpservice> "
    seat.type("bye")
    assert seat.session.leaving


def test_pasv_turns_round_who_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, server = seat_with(monkeypatch)
    assert "Active" in seat.type("pasv off")
    seat.type("open ftp://ann:secret@h")
    assert server.settings is not None
    assert server.settings.active
    assert "Passive" in seat.type("PASV")
    assert not server.settings.active
    assert server.came[-1] == "ann:secret@h//in"
    assert "Passive" in seat.type("pasv on")
    assert len(server.came) == 2
    assert isinstance(seat.wrong("pasv maybe"), ShellUsageError)


def test_who_asks_for_nothing_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, _ = seat_with(monkeypatch, "")
    assert isinstance(seat.wrong("open"), ShellError)


def test_the_shell_connects_shows_the_welcome_and_leaves_the_login_to_user_and_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = shell_with(monkeypatch, GOOD)
    said = seat.type("CONN h 2121")
    assert said.splitlines() == [
        "Welcome to the\\x1b[31m files",
        "of h",
        "Connected to h, without TLS.",
        "Log in with USER and PASS.",
    ]
    assert server.came == []
    assert seat.session.prompt == "h> "
    assert seat.type("USER ann") == "Logged in as ann.\n"
    assert seat.person.asked == [("Password: ", True)]
    assert server.came == ["ann:secret@h/"]
    assert seat.session.prompt == "ann@h:/in> "
    assert seat.type("close") == "Disconnected from server\n"


@pytest.mark.parametrize("answers", [(f"PASS {GOOD}",), (f"pass {GOOD}",), ("PASS", GOOD)])
def test_pass_may_be_typed_where_the_password_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...]
) -> None:
    seat, server = shell_with(monkeypatch, *answers)
    seat.type("conn h")
    seat.type("user ann")
    assert server.came == ["ann:secret@h/"]


def test_user_typed_where_the_name_is_asked_for_is_not_part_of_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = seat_with(monkeypatch, "USER ann", f"PASS {GOOD}")
    seat.type("open h")
    assert server.came[-1] == "ann:secret@h/"


def test_a_url_with_a_password_logs_in_on_the_connection_that_was_greeted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = shell_with(monkeypatch)
    assert "Connected to h under TLS." in seat.type("open ftps://ann:secret@h/in")
    assert server.came == ["ann:secret@h/in"]
    assert not server.greeted.closed


def test_what_needs_a_login_is_done_as_anonymous_if_that_is_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = shell_with(monkeypatch, anonymous=True)
    seat.type("open h")
    assert "Logged in as anonymous." in seat.type("pwd")
    assert server.came == [":None@h/"]
    refusing, server = shell_with(monkeypatch)
    refusing.type("open h")
    error = refusing.wrong("pwd")
    assert isinstance(error, AuthenticationFailed)
    assert "USER and PASS" in str(error)
    assert refusing.session.prompt == "h> "


def test_after_a_wrong_password_the_shell_still_waits_for_a_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = shell_with(monkeypatch)
    seat.type("CONN h")
    assert isinstance(seat.wrong("USER ann wrong"), AuthenticationFailed)
    assert seat.session.prompt == "h> "
    assert seat.type("PASS secret") == "Logged in as ann.\n"
    assert server.came == ["ann:wrong@h/", "ann:secret@h/"]
    assert seat.session.prompt == "ann@h:/in> "


def test_a_shell_says_that_it_is_connected_by_the_simple_protocol_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, _ = shell_with(monkeypatch)
    assert seat.type("open simple://ann:secret@h") == "Connected to h, without TLS.\n"
    assert seat.type("open simples://ann:secret@h") == "Connected to h under TLS.\n"


def test_a_connection_nobody_logged_in_on_is_closed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat, server = shell_with(monkeypatch)
    seat.type("open h")
    first = server.greeted
    seat.type("open other")
    assert first.closed
    seat.type("quit")
    assert server.greeted.closed

"""Plays one session of a transcript, step by step, and collects what differs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from ftpservice.activity.trace.redaction import REDACTED
from ftpservice.admin.replay.replay_connection import ReceivedReply, ReplayConnection, ServerLost
from ftpservice.admin.replay.replay_target import ReplayTarget
from ftpservice.admin.replay.reply_comparison import same_text
from ftpservice.admin.replay.transcript import ExpectedReply, PlayedCommand, RecordedSession

__all__ = ["Difference", "ReplayFailed", "SessionReplay"]

ANONYMOUS = ("anonymous", "ftp")
WRONG_PASSWORD = "not-the-password-of-the-transcript"
LISTENING_VERBS = ("EPRT", "PORT")


class ReplayFailed(Exception):
    """A session cannot be played; ``str`` of it says why."""


@dataclass(frozen=True)
class Difference:
    """A reply that is not that of the transcript."""

    session: int | str
    """The number of the session, or ``node:number``."""
    number: int
    """The number of the command in its session; 0 for the greeting."""
    command: str
    expected: list[str]
    received: list[str]


@dataclass
class SessionReplay:
    """Plays a session against a server; ``compares_texts``: texts too, not only codes."""

    session: RecordedSession
    target: ReplayTarget
    compares_texts: bool = False
    compared: int = 0
    """Replies that were compared."""
    differences: list[Difference] = field(default_factory=list)
    _ended: set[int] = field(default_factory=set)
    """Numbers of commands that got their final reply too early."""
    _user: str = ""

    def run(self) -> None:
        """Play all steps; raises `ReplayFailed` and `ServerLost` if there is no login to begin."""
        with ReplayConnection(self.target) as connection:
            if self.session.setup is not None:
                self._begin(connection, self.session.setup)
            self._play(connection, self.session.steps)

    def _play(
        self, connection: ReplayConnection, steps: list[PlayedCommand | ExpectedReply]
    ) -> None:
        for step, following in zip(steps, [*steps, None][1:], strict=True):
            if isinstance(step, PlayedCommand):
                with suppress(ServerLost):  # the reply that is missing tells it
                    self._send(connection, step)
            elif not self._compare(connection, step, following):
                return

    def _begin(self, connection: ReplayConnection, setup: list[str]) -> None:
        """Bring the session to the state in which its trace began."""
        self._demand(connection.reply())
        if self.session.begins_secured and not self.target.is_implicit:
            connection.send("AUTH TLS")
            self._demand(connection.reply(), "AUTH")
            connection.start_tls()
        for line in (*self._login(), *setup):
            connection.send(line)
            self._demand(connection.reply(), line.partition(" ")[0])
            connection.protects_data |= line == "PROT P"

    def _login(self) -> tuple[str, ...]:
        """Return the commands of the login before the trace began, if there was one."""
        if not self.session.begins_logged_in:
            return ()
        user, password = self.target.user, self.target.password
        if user is None or password is None:
            raise ReplayFailed(
                f"session {self.session.key} was logged in when its trace began: give a user "
                "in the URL, and the password"
            )
        return f"USER {user}", f"PASS {password}"

    def _demand(self, answer: ReceivedReply, verb: str = "the greeting") -> None:
        if answer.code >= 400:
            text = f"{answer.code} {answer.lines[-1]}"
            raise ReplayFailed(f"session {self.session.key} cannot begin: {verb}: {text}")

    def _send(self, connection: ReplayConnection, command: PlayedCommand) -> None:
        line = command.line
        if command.verb == "USER":
            line = self._user_line(line)
        elif command.verb == "PASS":
            line = f"PASS {self._password(command)}"
        elif command.verb in LISTENING_VERBS and (command.final_code or 0) < 400:
            line = connection.listen(command.verb)
        connection.send(line)

    def _user_line(self, line: str) -> str:
        self._user = line.partition(" ")[2] if self.target.user is None else self.target.user
        if self._user == REDACTED:
            raise ReplayFailed("the transcript does not name the account: the URL needs a user")
        return f"USER {self._user}"

    def _password(self, command: PlayedCommand) -> str:
        if (command.final_code or 0) >= 400:
            return WRONG_PASSWORD
        if self.target.password is not None:
            return self.target.password
        if self._user in ANONYMOUS:
            return "replay@"
        raise ReplayFailed(f"the login of {self._user!r} needs a password")

    def _compare(
        self,
        connection: ReplayConnection,
        expected: ExpectedReply,
        following: PlayedCommand | ExpectedReply | None,
    ) -> bool:
        """Read a reply and compare it; return whether the session continues."""
        command = expected.command
        if command is not None and command.number in self._ended:
            return True
        self.compared += 1
        try:
            answer = connection.reply()
            self._note(expected, answer)
            if command is not None:
                self._follow(connection, command, answer, isinstance(following, PlayedCommand))
                if expected.code >= 200 > answer.code:
                    connection.reply()  # the final one, which the transcript does not have
                elif answer.code >= 200 > expected.code:
                    self._ended.add(command.number)
        except ServerLost as lost:
            self._differs(expected, [str(lost)])
            return False
        return True

    def _note(self, expected: ExpectedReply, answer: ReceivedReply) -> None:
        is_same = answer.code == expected.code
        if is_same and self.compares_texts:
            is_same = same_text(expected.lines, answer.lines)
        if not is_same:
            self._differs(expected, _shown(answer.code, answer.lines))

    def _differs(self, expected: ExpectedReply, received: list[str]) -> None:
        number, line = 0, "the greeting"
        if expected.command is not None:
            number, line = expected.command.number, expected.command.line
        shown = _shown(expected.code, expected.lines)
        self.differences.append(Difference(self.session.key, number, line, shown, received))

    def _follow(
        self,
        connection: ReplayConnection,
        command: PlayedCommand,
        answer: ReceivedReply,
        is_interrupted: bool,
    ) -> None:
        """Do what a client does after a reply: TLS, the data connection."""
        verb = command.verb
        if command.is_transfer:
            if answer.code < 200:
                self._transfer(connection, command, is_interrupted)
            else:
                connection.close_data()
        elif answer.code >= 300:
            return
        elif verb in ("PASV", "EPSV"):
            connection.connect_data(answer)
        elif verb == "AUTH":
            connection.start_tls()
        elif verb == "CCC":
            connection.end_tls()
        elif verb == "PROT":
            connection.protects_data = command.line.upper().endswith(" P")

    def _transfer(
        self, connection: ReplayConnection, command: PlayedCommand, is_interrupted: bool
    ) -> None:
        """Move the data; if another command came before the end, leave the connection open."""
        connection.open_data()
        if command.is_upload:
            connection.upload(command.size)
        elif not is_interrupted:
            connection.download()
        if not is_interrupted:
            connection.close_data()


def _shown(code: int, lines: list[str]) -> list[str]:
    """Return the lines of a reply with its code."""
    return [f"{code} {line}" for line in lines] or [str(code)]

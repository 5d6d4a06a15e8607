"""A scripted FTP server with directories, whose listings are lines of the test."""

from __future__ import annotations

import posixpath

from tests.support.scripted_server import (
    ScriptedConnection,
    ScriptedDataConnection,
    ScriptedReply,
    ScriptedServer,
)

__all__ = ["DirectoryServer", "unix"]


def unix(name: str, kind: str = "-", size: int = 5, date: str = "Nov 21  2020") -> str:
    """Return a line of ``ls -l``."""
    return f"{kind}rw-r--r-- 1 ann users {size} {date} {name}"


class DirectoryDataConnection(ScriptedDataConnection):
    """A data connection that sends nothing before its command."""

    def connectionMade(self) -> None:
        self.server.data_connections.append(self)
        self.server.current = self
        self.server.flush()


class DirectoryServer(ScriptedServer):
    """Directories by path, each a list of lines for LIST; ``refused`` has replies by path instead.

    ``all_lines`` are the lines for ``LIST -a``, if the server supports it.
    """

    def __init__(self, directories: dict[str, list[str]], **more: ScriptedReply) -> None:
        super().__init__({"FEAT": "502 no", "SIZE": "213 5", **more}, None)
        self.directories = directories
        self.all_lines: dict[str, list[str]] | None = None
        self.refused: dict[str, str] = {}
        self.current: DirectoryDataConnection | None = None
        self.pending: bytes | None = None
        self.directory = "/"
        self.files = b"12345"
        for verb in ("CWD", "PWD", "LIST", "MLSD", "RETR", "STOR", "DELE", "RMD", "MKD"):
            if verb not in more:
                self.replies[verb] = getattr(self, verb.lower())

    def open_port(self) -> int:
        self.current = None
        return self.network.listen(lambda _: DirectoryDataConnection(self))

    def send(self, data: bytes) -> None:
        """Send over the data connection and close it, once there is one."""
        self.pending = data
        self.flush()

    def flush(self) -> None:
        if self.current is not None and self.pending is not None:
            self.current.transport.write(self.pending)
            self.current.transport.loseConnection()
            self.current, self.pending = None, None

    def path(self, line: str) -> str:
        return posixpath.normpath(posixpath.join(self.directory, line.partition(" ")[2]))

    def cwd(self, connection: ScriptedConnection, line: str) -> None:
        path = self.path(line)
        if path not in self.directories:
            connection.say("550 Failed to change directory.", line)
            return
        self.directory = path
        connection.say("250 ok", line)

    def pwd(self, connection: ScriptedConnection, line: str) -> None:
        connection.say(f'257 "{self.directory}"', line)

    def list(self, connection: ScriptedConnection, line: str) -> None:
        option = line.partition(" ")[2]
        if option == "-a" and self.all_lines is not None:
            self.send_lines(connection, line, self.all_lines[self.directory])
        elif option:
            connection.say("550 No such file or directory.", line)
        elif self.directory in self.refused:
            connection.say(self.refused[self.directory], line)
        else:
            self.send_lines(connection, line, self.directories[self.directory])

    def mlsd(self, connection: ScriptedConnection, line: str) -> None:
        path = self.path(line)
        if path in self.refused or path not in self.directories:
            connection.say(self.refused.get(path, "550 No such directory."), line)
        else:
            self.send_lines(connection, line, self.directories[path])

    def send_lines(self, connection: ScriptedConnection, line: str, lines: list[str]) -> None:
        connection.say("150 here\r\n226 done", line)
        self.send("".join(f"{one}\r\n" for one in lines).encode("utf-8", "surrogateescape"))

    def retr(self, connection: ScriptedConnection, line: str) -> None:
        connection.say("150 here\r\n226 done", line)
        self.send(self.files)

    def stor(self, connection: ScriptedConnection, line: str) -> None:
        connection.say("150 go", line)
        self.network.callLater(0.1, connection.say, "226 done", line)

    def dele(self, connection: ScriptedConnection, line: str) -> None:
        is_directory = self.path(line) in self.directories
        connection.say("550 Is a directory." if is_directory else "250 gone", line)

    def rmd(self, connection: ScriptedConnection, line: str) -> None:
        connection.say("250 gone", line)

    def mkd(self, connection: ScriptedConnection, line: str) -> None:
        is_there = self.path(line) in self.directories
        connection.say("550 File exists" if is_there else "257 made", line)

    def commands_of(self, *verbs: str) -> list[str]:
        """Return the received commands with these verbs."""
        return [line for line in self.commands if line.partition(" ")[0] in verbs]

"""An FTP server in memory with directories, which lists them as a test wants it to."""

from __future__ import annotations

import posixpath

from tests.support.scripted_server import DataEnd, Liar, Says, Speaker

__all__ = ["Disk", "unix"]


def unix(name: str, kind: str = "-", size: int = 5, date: str = "Nov 21  2020") -> str:
    """Return a line of ``ls -l``."""
    return f"{kind}rw-r--r-- 1 ann users {size} {date} {name}"


class DiskEnd(DataEnd):
    """A data connection, over which nothing is sent before the command that asks for it."""

    def connectionMade(self) -> None:
        self.liar.ends.append(self)
        self.liar.current = self
        self.liar.flush()


class Disk(Liar):
    """Directories by path: the lines that LIST tells; ``refused`` are replies by path instead.

    ``all_lines`` are those of ``LIST -a``, where the server takes that.
    """

    def __init__(self, directories: dict[str, list[str]], **more: Says) -> None:
        super().__init__({"FEAT": "502 no", "SIZE": "213 5", **more}, None)
        self.directories = directories
        self.all_lines: dict[str, list[str]] | None = None
        self.refused: dict[str, str] = {}
        self.current: DiskEnd | None = None
        self.pending: bytes | None = None
        self.place = "/"
        self.files = b"12345"
        for verb in ("CWD", "PWD", "LIST", "MLSD", "RETR", "STOR", "DELE", "RMD", "MKD"):
            if verb not in more:
                self.says[verb] = getattr(self, verb.lower())

    def open_port(self) -> int:
        self.current = None
        return self.network.listen(lambda _: DiskEnd(self))

    def send(self, data: bytes) -> None:
        """Send over the data connection, when there is one, and end it."""
        self.pending = data
        self.flush()

    def flush(self) -> None:
        if self.current is not None and self.pending is not None:
            self.current.transport.write(self.pending)
            self.current.transport.loseConnection()
            self.current, self.pending = None, None

    def path(self, line: str) -> str:
        return posixpath.normpath(posixpath.join(self.place, line.partition(" ")[2]))

    def cwd(self, speaker: Speaker, line: str) -> None:
        path = self.path(line)
        if path not in self.directories:
            speaker.say("550 Failed to change directory.", line)
            return
        self.place = path
        speaker.say("250 ok", line)

    def pwd(self, speaker: Speaker, line: str) -> None:
        speaker.say(f'257 "{self.place}"', line)

    def list(self, speaker: Speaker, line: str) -> None:
        option = line.partition(" ")[2]
        if option == "-a" and self.all_lines is not None:
            self.tell(speaker, line, self.all_lines[self.place])
        elif option:
            speaker.say("550 No such file or directory.", line)
        elif self.place in self.refused:
            speaker.say(self.refused[self.place], line)
        else:
            self.tell(speaker, line, self.directories[self.place])

    def mlsd(self, speaker: Speaker, line: str) -> None:
        path = self.path(line)
        if path in self.refused or path not in self.directories:
            speaker.say(self.refused.get(path, "550 No such directory."), line)
        else:
            self.tell(speaker, line, self.directories[path])

    def tell(self, speaker: Speaker, line: str, lines: list[str]) -> None:
        speaker.say("150 here\r\n226 done", line)
        self.send("".join(f"{one}\r\n" for one in lines).encode("utf-8", "surrogateescape"))

    def retr(self, speaker: Speaker, line: str) -> None:
        speaker.say("150 here\r\n226 done", line)
        self.send(self.files)

    def stor(self, speaker: Speaker, line: str) -> None:
        speaker.say("150 go", line)
        self.network.callLater(0.1, speaker.say, "226 done", line)

    def dele(self, speaker: Speaker, line: str) -> None:
        is_directory = self.path(line) in self.directories
        speaker.say("550 Is a directory." if is_directory else "250 gone", line)

    def rmd(self, speaker: Speaker, line: str) -> None:
        speaker.say("250 gone", line)

    def mkd(self, speaker: Speaker, line: str) -> None:
        is_there = self.path(line) in self.directories
        speaker.say("550 File exists" if is_there else "257 made", line)

    def asked(self, *verbs: str) -> list[str]:
        """Return the lines with these verbs that came."""
        return [line for line in self.heard if line.partition(" ")[0] in verbs]

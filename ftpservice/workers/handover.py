"""What a main process hands over to the program that takes its place, or is tried for that.

It stands in memory without a name, of which an environment variable has the descriptor. The two
programs may be of different versions, so what a reader does not know is left out, and what it does
not find has a default.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any

__all__ = ["VARIABLE", "Handover", "socket_name"]

VARIABLE = "FTPSERVICE_HANDOVER"
MARSHAL_VERSION = 4
DAEMON_LOG_FILE = "twistd.log"


def socket_name(option: str, text: str) -> str:
    """Return the key of a listening socket, of its option and endpoint string."""
    return f"{option} {text}"


@dataclass(frozen=True)
class Handover:
    """Plain values; descriptors are numbers that stay the same."""

    generation: int = 1
    """How often the program was replaced."""
    is_trial: bool = False
    """Whether the reader tries only whether it can start, and ends."""
    answer: int = -1
    """Where a trial writes its version when it could start."""
    program: Mapping[str, Any] = field(default_factory=dict)
    """The options of ``twistd``: those that a process does not follow a second time."""
    sockets: Mapping[str, int] = field(default_factory=dict)
    """Listening sockets by option and endpoint string."""
    control: int = -1
    """That of the control socket."""
    board: tuple[int, int] = (-1, 0)
    """The memory of `SessionBoard`, and its columns."""
    table: int = -1
    """The memory of `SharedTable`."""
    quotas: int = -1
    """That of `SharedQuotas`."""
    data_ports: tuple[Mapping[str, Any], ...] = ()
    """The shared passive ports, and what is held there (`SharedPassivePort.hand_over`)."""
    refusal: str | None = None
    """Why sessions are refused (``drain``); None if they are accepted."""
    free_columns: int = 0
    """How many processes have a place in them."""
    workers: tuple[Mapping[str, Any], ...] = ()
    """The worker processes that go on (`WorkerHandover`), their shares of the ports, their places
    for sessions, and what they have asked and not been answered."""
    cluster: Mapping[str, Any] = field(default_factory=dict)
    """The node of a cluster that the processes are (`hand_over_node`)."""

    @property
    def descriptors(self) -> list[int]:
        """All that the reader inherits."""
        memory = (self.board[0], self.table, self.quotas)
        found = [*self.sockets.values(), self.answer, self.control, *memory]
        for port in self.data_ports:
            found += [*port["sockets"], *(one["socket"] for one in port.get("held", ()))]
        for worker in self.workers:
            found += [worker["channel"], worker.get("data_port", {}).get("end", -1)]
        return [one for one in found if one >= 0]

    def stored(self) -> int:
        """Return the descriptor of memory that contains it, for `taken`."""
        content = marshal.dumps(asdict(self), MARSHAL_VERSION)
        memory = os.memfd_create("ftpservice-handover", os.MFD_CLOEXEC)
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(content)
        except BaseException:
            os.close(memory)
            raise
        return memory

    @classmethod
    def taken(cls, environment: MutableMapping[str, str] = os.environ) -> Handover | None:
        """Return what was handed over to this process, once; None if nothing was."""
        text = environment.pop(VARIABLE, None)
        if text is None:
            return None
        with os.fdopen(int(text), "rb") as file:
            file.seek(0)
            values = marshal.loads(file.read())
        known = {one.name for one in fields(cls)}
        handover = cls(**{name: value for name, value in values.items() if name in known})
        for descriptor in handover.descriptors:
            os.set_inheritable(descriptor, False)
        return handover

    def apply_to(self, program: MutableMapping[str, Any]) -> None:
        """Change the options of ``twistd`` for a process that has been started before."""
        is_daemon = not program.get("nodaemon")
        program["nodaemon"], program["pidfile"] = True, ""
        if self.is_trial:
            program["logfile"], program["syslog"] = "-", False
        elif is_daemon and not program.get("logfile") and not program.get("syslog"):
            program["logfile"] = DAEMON_LOG_FILE

    def close_rest(self, used: Iterable[str]) -> None:
        """Close the listening sockets that are not used any more."""
        for name in set(self.sockets) - set(used):
            with suppress(OSError):
                os.close(self.sockets[name])

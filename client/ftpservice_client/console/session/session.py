"""The session of the program: its connection, its directory, and listings for completion."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from ftpservice.wire.entry import Entry
from ftpservice_client import (
    AuthenticationFailed,
    Client,
    ClientError,
    Destination,
    PendingLogin,
    Settings,
    connect,
    connect_without_login,
)
from ftpservice_client.console.session.certificate_trust import with_trust
from ftpservice_client.console.session.errors import ConsoleError, NotConnected
from ftpservice_client.console.session.interrupt import Interrupt
from ftpservice_client.console.session.known_hosts import KnownHosts, known_hosts_path
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.screen import Screen
from ftpservice_client.local.threads import thread_pool_of

__all__ = ["ConsoleEnvironment", "ConsoleSession", "Prompter"]

Result = TypeVar("Result")
LISTING_VALID_SECONDS = 15.0
"""Age up to which a listing is used for completion."""
DISCONNECTED_PROMPT = "ftpservice"


class Prompter(Protocol):
    """Asks the user at the terminal."""

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer; a ``secret`` one is not echoed."""


@dataclass(frozen=True)
class ConsoleEnvironment:
    """What a session needs from the process: reactor, screen, settings and the terminal."""

    reactor: Any
    screen: Screen
    settings: Settings
    prompter: Prompter | None = None
    """``None`` without a terminal."""
    interrupt: Interrupt = field(default_factory=Interrupt)
    known_hosts: KnownHosts = field(
        default_factory=lambda: KnownHosts(known_hosts_path(os.environ))
    )
    is_shell: bool = False
    """Lines are typed: greetings and more status lines are printed."""
    is_script: bool = False
    """Lines come from a file or pipe: the user is not asked about certificates."""


class ConsoleSession:
    """The connection of a shell, a script or a one-shot command; at most one at a time."""

    def __init__(self, environment: ConsoleEnvironment) -> None:
        self.reactor = environment.reactor
        self.screen = environment.screen
        self.settings = replace(environment.settings, warn=environment.screen.print_warning)
        self.known_hosts = environment.known_hosts
        self.is_shell = environment.is_shell
        self.interrupt = environment.interrupt
        self.is_leaving = False
        self.destination: Destination | None = None
        """The server and user of the connection."""
        self.login_destination: Destination | None = None
        """The server and user that USER and PASS log in to."""
        self.url_destination: Destination | None = None
        """The destination as the URL named it, before netrc and prompts completed it."""
        self.home = ""
        """The remote directory after the login."""
        self.is_interactive = environment.prompter is not None
        """Whether the user can be asked."""
        self.can_ask_for_trust = self.is_interactive and not environment.is_script
        """Whether the user can be asked about a certificate."""
        self._prompter = environment.prompter
        self._pending_login: PendingLogin | None = None
        self._client: Client | None = None
        self._listings: dict[str, tuple[float, tuple[Entry, ...]]] = {}

    @property
    def client(self) -> Client:
        """The client of the connection; raises `NotConnected`.

        If the connection was lost and the client will reconnect, a status line says so.
        """
        if self._client is None:
            raise NotConnected
        if self.settings.retries and (error := self._client.lost) is not None:
            self.screen.print_status(f"Connection lost ({error}); reconnecting.")
        return self._client

    @property
    def is_awaiting_login(self) -> bool:
        """Whether there is a connection without a login."""
        return self._client is None and self._pending_login is not None

    def print_shell_status(self, line: str) -> None:
        """Print a status line in the interactive shell only."""
        if self.is_shell:
            self.screen.print_status(line)

    def print_connected(self, destination: Destination, *, is_secured: bool) -> None:
        """Print where the connection leads and whether it is encrypted, in the shell only."""
        protection = "with TLS" if is_secured else "without TLS"
        self.print_shell_status(f"Connected to {destination.host} {protection}.")

    async def connect_without_login(self, destination: Destination) -> None:
        """Connect and print the greeting; then close the previous connection."""

        async def connect_with(settings: Settings) -> PendingLogin:
            return await connect_without_login(destination, reactor=self.reactor, settings=settings)

        pending = await with_trust(self, destination, connect_with)
        await self.close(quietly=True)
        self._pending_login = pending
        for line in pending.welcome:
            self.screen.print_status(line)
        self.print_connected(destination, is_secured=pending.is_secured)

    async def open(self, destination: Destination) -> None:
        """Connect and log in; then close the previous connection."""
        pending, self._pending_login = self._pending_login, None
        if pending is not None and _is_same_server(pending.destination, destination):
            client = await self._log_in(pending, destination)
        else:

            async def connect_with(settings: Settings) -> Client:
                return await connect(destination, reactor=self.reactor, settings=settings)

            client = await with_trust(self, destination, connect_with)
        await self.close(quietly=True)
        self._client, self.destination, self.login_destination = client, destination, destination
        self.home = client.directory

    async def _log_in(self, pending: PendingLogin, destination: Destination) -> Client:
        """Log in on an open connection; if the password is wrong, the connection stays open."""
        try:
            return await pending.log_in(destination.user, destination.password)
        except AuthenticationFailed:
            self._pending_login = pending
            raise

    async def reconnect(self) -> None:
        """Connect again to the same directory, for example after a change of the settings."""
        if self._client is not None and self.destination is not None:
            await self.open(replace(self.destination, path=self._client.directory))

    async def close(self, *, quietly: bool = False) -> None:
        """Send QUIT and close the connection, if there is one."""
        client, self._client = self._client, None
        pending, self._pending_login = self._pending_login, None
        self.destination = self.url_destination = None
        self.forget_listings()
        if pending is not None:
            pending.close()
        if client is not None:
            await client.quit()
        if not quietly and (client or pending):
            self.print_shell_status("Disconnected from server")

    async def ask(self, question: str, *, secret: bool = False, empty: bool = False) -> str:
        """Return the user's answer.

        Raises `ConsoleError` without a terminal, or for an empty answer unless ``empty`` allows it.
        """
        if self._prompter is None:
            raise ConsoleError(f"{question} is required: there is no terminal to ask at.")
        answer = await self._prompter.ask(f"{question}: ", secret=secret)
        if not answer and not secret and not empty:
            raise ConsoleError("Cancelled: the answer is empty.")
        return answer

    async def entries(self, directory: str) -> tuple[Entry, ...]:
        """Return the entries of a remote directory for completion; empty if it cannot be listed."""
        if self._client is None:
            return ()
        listed_at, entries = self._listings.get(directory, (float("-inf"), ()))
        if self.reactor.seconds() - listed_at < LISTING_VALID_SECONDS:
            return entries
        try:
            listing = await self._client.list(directory)
        except ClientError:
            return ()
        entries = tuple(sorted(listing.entries, key=attrgetter("name")))
        self._listings[directory] = (self.reactor.seconds(), entries)
        return entries

    def forget_listings(self) -> None:
        """Drop the listings for completion: they may be out of date."""
        self._listings.clear()

    async def in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a blocking function in a thread."""
        return await thread_pool_of(self.reactor).run(function, *arguments)

    async def lend_terminal(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function that runs another program at the terminal, which then gets Ctrl-C."""
        self.screen.out.flush()
        self.interrupt.is_suspended = True
        try:
            return await self.in_thread(function, *arguments)
        finally:
            self.interrupt.is_suspended = False

    @property
    def prompt(self) -> str:
        """The prompt of the shell."""
        if self.is_awaiting_login and self.login_destination is not None:
            return escape_unprintable(f"{self.login_destination.host}> ")
        if self._client is None or self.destination is None:
            return f"{DISCONNECTED_PROMPT}> "
        user = f"{self.destination.user}@" if self.destination.user else ""
        return escape_unprintable(f"{user}{self.destination.host}:{self._client.directory}> ")


def _is_same_server(one: Destination, other: Destination) -> bool:
    return replace(one, user="", password=None) == replace(other, user="", password=None)

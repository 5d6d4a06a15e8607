"""What the shell remembers: the server, where we are there, the listings it may complete from."""

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
from ftpservice_client.console.session.errors import NotConnected, ShellError
from ftpservice_client.console.session.interrupt import Interrupt
from ftpservice_client.console.session.known_hosts import KnownHosts, known_hosts_path
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.terminal import Screen
from ftpservice_client.local.threads import ThreadRunner

__all__ = ["Prompter", "ShellEnvironment", "ShellSession"]

Result = TypeVar("Result")
LISTING_VALID_SECONDS = 15.0
"""Seconds for which a listing is good enough to complete names from."""
DISCONNECTED_PROMPT = "ftpservice"


class Prompter(Protocol):
    """Whoever can be asked."""

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer; a ``secret`` one is not shown as it is typed."""


@dataclass(frozen=True)
class ShellEnvironment:
    """What a session is given: the reactor, the person, and how to connect."""

    reactor: Any
    screen: Screen
    settings: Settings
    prompter: Prompter | None = None
    """``None`` where nobody can be asked."""
    interrupt: Interrupt = field(default_factory=Interrupt)
    known_hosts: KnownHosts = field(
        default_factory=lambda: KnownHosts(known_hosts_path(os.environ))
    )
    shell: bool = False
    """Whether a person types the lines, who is told of what a server says at first."""
    script: bool = False
    """Whether lines come from a file: questions of trust are not for whoever started it."""


class ShellSession:
    """One person's connection, or the lack of one."""

    def __init__(self, given: ShellEnvironment) -> None:
        self.reactor = given.reactor
        self.screen = given.screen
        self.settings = replace(given.settings, warn=given.screen.warn)
        self.known_hosts = given.known_hosts
        self.shell = given.shell
        self.interrupt = given.interrupt
        self.leaving = False
        self.place: Destination | None = None
        """The server, and who we are there."""
        self.login_destination: Destination | None = None
        """Where USER and PASS log in."""
        self.url_destination: Destination | None = None
        """What a URL said that led here, before netrc and the person had their say."""
        self.home = ""
        """The directory that we began in."""
        self._prompter = given.prompter
        self._script = given.script
        self._greeted: PendingLogin | None = None
        self._client: Client | None = None
        self._listings: dict[str, tuple[float, tuple[Entry, ...]]] = {}

    @property
    def client(self) -> Client:
        """The connection; raises `NotConnected`. That it was lost meanwhile is told."""
        if self._client is None:
            raise NotConnected
        if self.settings.retries and (why := self._client.lost) is not None:
            self.screen.remark(f"Not connected any more ({why}); connecting again.")
        return self._client

    @property
    def is_interactive(self) -> bool:
        """Whether there is somebody to be asked."""
        return self._prompter is not None

    def tell(self, line: str) -> None:
        """Say what was done to a person at the shell; scripts are told of files alone."""
        if self.shell:
            self.screen.remark(line)

    @property
    def can_ask_for_trust(self) -> bool:
        """Whether somebody can be asked about a certificate."""
        return self.is_interactive and not self._script

    @property
    def is_awaiting_login(self) -> bool:
        """Whether there is a connection that nobody has logged in on."""
        return self._client is None and self._greeted is not None

    async def connect_without_login(self, place: Destination) -> None:
        """Connect, and show what the server says first; an older connection is closed then."""

        async def greeted(settings: Settings) -> PendingLogin:
            return await connect_without_login(place, reactor=self.reactor, settings=settings)

        found = await with_trust(self, place, greeted)
        await self.close(quietly=True)
        self._greeted = found
        for line in found.welcome:
            self.screen.remark(line)
        self.tell_connected(place, secured=found.is_secured)

    def tell_connected(self, place: Destination, *, secured: bool) -> None:
        """Tell a person at the shell where the connection leads, and how it is protected."""
        self.tell(f"Connected to {place.host}{' under TLS' if secured else ', without TLS'}.")

    async def open(self, place: Destination) -> None:
        """Connect and log in; an older connection is closed when the new one is there."""
        greeted, self._greeted = self._greeted, None
        if greeted is not None and _same_server(greeted.destination, place):
            client = await self._log_in(greeted, place)
        else:

            async def connected(settings: Settings) -> Client:
                return await connect(place, reactor=self.reactor, settings=settings)

            client = await with_trust(self, place, connected)
        await self.close(quietly=True)
        self._client, self.place, self.login_destination = client, place, place
        self.home = client.directory

    async def _log_in(self, greeted: PendingLogin, place: Destination) -> Client:
        """Log in on a connection; after a wrong password another login may follow."""
        try:
            return await greeted.log_in(place.user, place.password)
        except AuthenticationFailed:
            self._greeted = greeted
            raise

    async def renew(self) -> None:
        """Connect once more to where we are, as after a change of the settings."""
        if self._client is not None and self.place is not None:
            await self.open(replace(self.place, path=self._client.directory))

    async def close(self, *, quietly: bool = False) -> None:
        """Say good-bye, if there is a connection."""
        client, self._client = self._client, None
        greeted, self._greeted = self._greeted, None
        self.place = self.url_destination = None
        self.forget_listings()
        if greeted is not None:
            greeted.close()
        if client is not None:
            await client.quit()
        if not quietly and (client or greeted):
            self.tell("Disconnected from server")

    async def ask(self, question: str, *, secret: bool = False, empty: bool = False) -> str:
        """Return the person's answer.

        Raises `ShellError` where nobody is there, or says nothing and may not (``empty``).
        """
        if self._prompter is None:
            raise ShellError(f"{question}: nobody is there to be asked, so it has to be given.")
        answer = await self._prompter.ask(f"{question}: ", secret=secret)
        if not answer and not secret and not empty:
            raise ShellError("Nothing done.")
        return answer

    async def entries(self, directory: str) -> tuple[Entry, ...]:
        """Return what is in a directory, as of lately; nothing where that cannot be told."""
        if self._client is None:
            return ()
        when, entries = self._listings.get(directory, (float("-inf"), ()))
        if self.reactor.seconds() - when < LISTING_VALID_SECONDS:
            return entries
        try:
            listing = await self._client.list(directory)
        except ClientError:
            return ()
        entries = tuple(sorted(listing.entries, key=attrgetter("name")))
        self._listings[directory] = (self.reactor.seconds(), entries)
        return entries

    def forget_listings(self) -> None:
        """Drop the listings: something may have changed."""
        self._listings.clear()

    async def in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call what may wait for the disk, in a thread."""
        return await ThreadRunner(self.reactor).call(function, *arguments)

    async def lend_terminal(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call what runs another program at the terminal, which then gets Ctrl-C alone."""
        self.screen.out.flush()
        self.interrupt.is_suspended = True
        try:
            return await self.in_thread(function, *arguments)
        finally:
            self.interrupt.is_suspended = False

    @property
    def prompt(self) -> str:
        """What stands before the line that is typed."""
        if self.is_awaiting_login and self.login_destination is not None:
            return escape_unprintable(f"{self.login_destination.host}> ")
        if self._client is None or self.place is None:
            return f"{DISCONNECTED_PROMPT}> "
        who = f"{self.place.user}@" if self.place.user else ""
        return escape_unprintable(f"{who}{self.place.host}:{self._client.directory}> ")


def _same_server(one: Destination, other: Destination) -> bool:
    return replace(one, user="", password=None) == replace(other, user="", password=None)

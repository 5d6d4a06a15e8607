"""Destinations and settings from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice_client import BadURL, ExplicitTLS, Scheme, Settings
from ftpservice_client.console.session.command_line import (
    one_shot_parser,
    parse_destination,
    settings_from,
    shell_parser,
)
from ftpservice_client.console.session.errors import UsageError


def test_a_bare_host_is_ftp() -> None:
    found = parse_destination("files.example:2121")
    assert (found.scheme, found.host, found.port) == (Scheme.FTP, "files.example", 2121)
    assert parse_destination("simple://h").scheme is Scheme.SIMPLE


@pytest.mark.parametrize("text", ["", "http://h/", "ftp://", "h:x"])
def test_invalid_urls_are_refused(text: str) -> None:
    with pytest.raises(BadURL):
        parse_destination(text)


PIN = "ab" * 32


def settings(*words: str) -> Settings:
    return settings_from(shell_parser().parse_args(words))


def test_default_settings() -> None:
    assert settings() == Settings(retries=2, explicit_tls=ExplicitTLS.PREFER)
    assert settings("--tls=never").explicit_tls is ExplicitTLS.NEVER


def test_options_become_settings() -> None:
    found = settings("--active", "--timeout=5", "--retries=0", "--netrc=n", f"--fingerprint={PIN}")
    assert found.active
    assert (found.timeout, found.stall_timeout, found.retries) == (5, 5, 0)
    assert found.netrc == Path("n")
    assert found.trust.fingerprint == PIN
    assert settings("--ca-file=a.pem").trust.ca_file == Path("a.pem")
    assert settings("--insecure").trust.insecure


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout=0"],
        ["--timeout=nan"],
        ["--retries=-1"],
        ["--fingerprint=12"],
        ["--insecure", "--ca-file=x"],
        ["--nothing"],
        ["ftp://h", "--more"],
    ],
    ids=" ".join,
)
def test_invalid_options_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        settings(*words)


def test_one_shot_commands_have_the_connection_options() -> None:
    found = one_shot_parser("ls", "URL", "List.").parse_args(["--json", "-q", "--active"])
    assert found.json
    assert found.quiet
    assert settings_from(found).active

"""Arguments of the command: destinations, options of a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice_client import BadURL, ExplicitTLS, Scheme, Settings
from ftpservice_client.console.session.arguments import (
    destination,
    one_shot_parser,
    settings_from,
    shell_parser,
)
from ftpservice_client.console.session.errors import ShellUsageError


def test_a_bare_host_is_ftp() -> None:
    place = destination("files.example:2121")
    assert (place.scheme, place.host, place.port) == (Scheme.FTP, "files.example", 2121)
    assert destination("simple://h").scheme is Scheme.SIMPLE


@pytest.mark.parametrize("text", ["", "http://h/", "ftp://", "h:x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadURL):
        destination(text)


PIN = "ab" * 32


def settings(*words: str) -> Settings:
    return settings_from(shell_parser().parse_args(words))


def test_without_options_the_librarys_own_hold_and_cuts_are_gone_over() -> None:
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
def test_nonsense_is_refused(words: list[str]) -> None:
    with pytest.raises(ShellUsageError):
        settings(*words)


def test_single_commands_take_them_too() -> None:
    found = one_shot_parser("ls", "List.").parse_args(["--json", "-q", "--active"])
    assert found.json
    assert found.quiet
    assert settings_from(found).active


def test_the_help_names_every_single_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        shell_parser().parse_args(["--help"])
    said = capsys.readouterr().out
    for name in ("get", "put", "ls", "cat", "hash", "rm", "mirror"):
        assert f"\n  {name} URL" in said

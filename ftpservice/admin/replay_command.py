"""``ftpservice replay``: plays a transcript against a server and compares the replies."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from ftpservice.admin.command_output import FAILED_STATUS, UNAVAILABLE_STATUS, AdminCommandError
from ftpservice.admin.password_input import read_password
from ftpservice.wire.units import count_text, parse_size

if TYPE_CHECKING:  # imports ssl and the table of verbs, which other commands do not need
    from ftpservice.admin.replay.replay_target import ReplayTarget
    from ftpservice.admin.replay.session_replay import Difference
    from ftpservice.admin.replay.transcript import RecordedSession

__all__ = ["replay"]


def _parsed_size(_context: object, _parameter: object, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise click.UsageError(f"--max-upload: {error}") from None


@click.command("replay", short_help="Play a transcript against a server, and compare.")
@click.argument("file")
@click.argument("url")
@click.option("--texts", is_flag=True, help="Compare texts too; numbers and dates count as equal.")
@click.option("--session", metavar="[NODE:]NUMBER", help="Play this session of the file only.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--ca-file", metavar="FILE", help="Authorities (PEM) that TLS is verified with.")
@click.option("--insecure", is_flag=True, help="Do not verify the certificate of the server.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=30,
    show_default=True,
    help="Time to wait for the server.",
)
@click.option(
    "--max-upload",
    metavar="SIZE",
    default="1G",
    show_default=True,
    callback=_parsed_size,
    help="Refuse a transcript whose uploads have more bytes in all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(*, url: str, texts: bool, as_json: bool, **options: Any) -> None:
    """Play the sessions of a file that 'trace' wrote, one after the other, against a server.

    The URL is ftp://USER@HOST:PORT, or ftps:// for implicit TLS; its user replaces that of the
    file. Uploads send zero bytes: use a server for tests. The status is 1 if a reply differs.
    """
    from ftpservice.admin.replay.replay_connection import ServerLost
    from ftpservice.admin.replay.session_replay import ReplayFailed, SessionReplay

    sessions = _sessions(*(options.pop(name) for name in ("file", "session", "max_upload")))
    target = _target(url, **options)
    compared, differences = 0, []
    for recorded in sessions:
        played = SessionReplay(recorded, target, texts)
        try:
            played.run()
        except ServerLost as error:
            raise AdminCommandError(str(error), "ServerLost", UNAVAILABLE_STATUS) from None
        except (ReplayFailed, OSError) as error:
            raise AdminCommandError(str(error), "ReplayFailed", FAILED_STATUS) from None
        compared += played.compared
        differences += played.differences
    _print(compared, differences, as_json)
    if differences:
        raise SystemExit(FAILED_STATUS)


def _target(
    url: str, password_stdin: bool, ca_file: str | None, insecure: bool, timeout: float
) -> ReplayTarget:
    from ftpservice.admin.replay.replay_target import parse_target

    try:
        target = parse_target(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    target = replace(target, ca_file=ca_file, verifies=not insecure, timeout=timeout)
    return target.with_password(read_password(True)) if password_stdin else target


def _sessions(file: str, session: str | None, max_upload: int) -> list[RecordedSession]:
    from ftpservice.admin.replay.transcript import (
        MAX_LINE_LENGTH,
        BadTranscript,
        read_transcript,
    )

    try:
        with open(file, encoding="utf-8") as opened:
            lines = iter(lambda: opened.readline(MAX_LINE_LENGTH + 1), "")
            sessions = read_transcript(lines)
    except OSError as error:
        raise AdminCommandError(f"{file}: {error.strerror}", "BadTranscript") from None
    except (BadTranscript, UnicodeDecodeError) as error:
        raise AdminCommandError(f"{file}: {error}", "BadTranscript") from None
    chosen = [one for one in sessions if session in (None, str(one.key), str(one.number))]
    if not chosen:
        which = "no session" if session is None else f"no session {session}"
        raise AdminCommandError(f"{file}: it has {which}", "BadTranscript")
    size = sum(one.upload_size for one in chosen)
    if size > max_upload:
        text = f"{file}: its uploads have {size} bytes, more than --max-upload ({max_upload})"
        raise AdminCommandError(text, "TooLarge")
    return chosen


def _print(compared: int, differences: list[Difference], as_json: bool) -> None:
    if as_json:
        found = [asdict(one) for one in differences]
        click.echo(json.dumps({"compared": compared, "differences": found}, indent=1))
        return
    for one in differences:
        click.echo(f"session {one.session}, command {one.number}: {one.command}")
        for mark, lines in (("-", one.expected), ("+", one.received)):
            for line in lines:
                click.echo(f"{mark} {line.encode('utf-8', 'backslashreplace').decode()}")
    count = len(differences)
    differ = "none differs" if not count else "1 differs" if count == 1 else f"{count} differ"
    click.echo(f"{count_text(compared, 'reply')} compared, {differ}")

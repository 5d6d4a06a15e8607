"""What ``ftpservice report`` does: chooses the journal, reads it, and writes the report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from ftpservice.accounts.account_store import AccountStoreError
from ftpservice.activity.journal.journal_place import JournalPlan
from ftpservice.activity.reports.report_period import ReportPeriod, parse_period
from ftpservice.admin.activity.journal_report import JournalReading, json_report, read_journal
from ftpservice.wire.units import count_text

__all__ = ["ReportFailed", "ReportRequest", "print_report"]

SESSION_SECONDS = 3.0
"""How long the running service may take to tell its sessions."""

Ask = Callable[..., Any]
"""Sends a request to the control socket at a path; raises if the service cannot be reached."""


class ReportFailed(Exception):
    """A report cannot be made; ``str`` of it says why."""


@dataclass(frozen=True)
class ReportRequest:
    """The options of the command."""

    socket: str | None
    data_dir: str | None
    config: str | None
    since: str
    until: str
    user: str
    form: str
    """``text``, ``json``, ``csv`` or ``html``."""
    file: str | None = None
    """The HTML file to write."""


def print_report(wanted: ReportRequest, ask: Ask) -> None:
    """Print or write a report; raises `click.UsageError`, `ReportFailed`, and what ``ask`` raises.

    Without a journal the running service is asked for what it has counted since its start.
    """
    try:
        period = parse_period(wanted.since, wanted.until, wanted.user, time.time())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    plan, socket = (None, wanted.socket) if wanted.socket else _place(wanted)
    if plan is None:
        _print_of_service(wanted, socket, ask)
        return
    try:
        reading = read_journal(plan, period)
    except OSError as error:
        raise ReportFailed(f"{error.filename}: {error.strerror}") from error
    except (AccountStoreError, LookupError) as error:
        raise ReportFailed(str(error)) from None
    _write(wanted, reading, _sessions(ask, socket, period))


def _place(wanted: ReportRequest) -> tuple[JournalPlan | None, str | None]:
    """Return the journal and the control socket of the settings."""
    from ftpservice.service.activity.journal_setup import journal_plan
    from ftpservice.service.settings.errors import CannotStart, SettingsConflict
    from ftpservice.service.settings.settings import settings_from
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        values = load_toml(wanted.config) if wanted.config is not None else {}
        if wanted.data_dir is not None:
            values["data-dir"] = wanted.data_dir
        settings = settings_from(values, os.getcwd())
        return journal_plan(settings), settings.control_socket_path
    except (BadConfiguration, SettingsConflict) as error:
        raise click.UsageError(f"--config {error}") from None
    except CannotStart as error:
        raise ReportFailed(error.line) from None


def _print_of_service(wanted: ReportRequest, socket: str | None, ask: Ask) -> None:
    if wanted.form in ("csv", "html"):
        raise click.UsageError(f"--{wanted.form} needs a journal (see the setting journal)")
    if socket is None:
        raise click.UsageError("there is no journal and no control socket; give --socket")
    lines = ask(socket, "report", since=wanted.since, until=wanted.until, user=wanted.user)
    click.echo(json.dumps(lines, indent=1) if wanted.form == "json" else "\n".join(lines))


def _sessions(
    ask: Ask, socket: str | None, period: ReportPeriod
) -> Sequence[Mapping[str, Any]] | None:
    """Return the sessions of now; None if the service does not run, or cannot be asked."""
    if socket is None:
        return None
    try:
        sessions = ask(socket, "who", seconds=SESSION_SECONDS)
    except Exception:  # noqa: BLE001 - the report is complete without them
        return None
    return [one for one in sessions if not period.user or one["user"] == period.user]


def _write(
    wanted: ReportRequest, reading: JournalReading, sessions: Sequence[Mapping[str, Any]] | None
) -> None:
    from ftpservice.activity.reports.report_text import csv_text, report_lines

    if wanted.form == "html":
        _write_html(wanted.file or "", reading)
    elif wanted.form == "json":
        click.echo(json_report(reading.data, sessions))
    elif wanted.form == "csv":
        click.echo(csv_text(reading.data), nl=False)
    else:
        from ftpservice.admin.activity.session_table import session_lines

        click.echo("\n".join(report_lines(reading.data)))
        if sessions:
            click.echo("\n".join(["", "Sessions now:", *session_lines(sessions, time.time())]))
    if reading.waiting:
        waiting = f"{reading.waiting:,} bytes of events wait in the spool"
        click.echo(f"ftpservice: warning: {waiting}", err=True)
    if reading.dropped:
        lost = count_text(reading.dropped, "event")
        click.echo(f"ftpservice: warning: lost, because unreadable: {lost}", err=True)


def _write_html(path: str, reading: JournalReading) -> None:
    from ftpservice.activity.reports.report_html import report_html

    page = report_html(reading.data)
    if path == "-":
        click.echo(page, nl=False)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    except OSError as error:
        raise ReportFailed(f"{path}: {error.strerror}") from None

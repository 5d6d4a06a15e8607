"""SIGHUP: what can change changes, what cannot is named, and a broken file changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftpservice.activity.event_log import Verbosity
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.net.tls.self_signed import self_signed_certificate
from ftpservice.net.tls.server import TLSFiles
from ftpservice.service import assembly
from ftpservice.service.settings.settings import SETTINGS, ServiceSettings, settings_from
from ftpservice.service.settings.toml_file import parse_toml
from ftpservice.service.settings_reload import SettingsChange
from ftpservice.session.tls_policy import ControlTLS
from tests.service.test_assembly import ALICE, Started


class Reloaded(Started):
    """A service with a file of settings that changes."""

    def __init__(self, text: str, *words: str) -> None:
        self.write(text)
        super().__init__("--config=ftp.toml", *words)
        self.start()
        self.out.truncate(0)

    def write(self, text: str) -> None:
        Path("ftp.toml").write_text(text)

    def again(self, text: str) -> list[str]:
        """Change the file, and have it read; return what was said."""
        self.write(text)
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate(0)
        self.service.reload()
        return (self.out.getvalue() + self.err.getvalue()).splitlines()

    @property
    def session(self) -> Any:
        """The settings of the next session."""
        return self.service.parts.factory.services().settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a directory of its own, and read in this thread."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assembly, "BlockingPool", lambda *_words, **_more: InlineRunner())


def test_what_can_change_changes_for_sessions_to_come() -> None:
    started = Reloaded("idle-timeout = 5", ALICE)
    assert started.session.idle_timeout == 5
    text = """
        idle-timeout = 50
        welcome = "Hello"
        rate-up = "1M"
        max-sessions = 3
        passive-ports = "50000-50001"
        passive-address = ["203.0.113.7"]
        tls = "required"
        umask = "077"
        log = "problems"
        grace = 7
    """
    assert started.again(text) == [
        "settings read again, applied: tls, welcome, max-sessions, idle-timeout, rate-up, grace,"
        " umask, passive-ports, passive-address, log"
    ]
    now = started.session
    assert (now.idle_timeout, now.welcome, now.rate_up, now.max_sessions) == (
        50, "Hello", 1024**2, 3
    )  # fmt: skip
    assert (now.umask, now.data.passive_ports) == (0o077, (50000, 50001))
    assert now.tls.control is ControlTLS.REQUIRED
    assert started.service.parts.event_log.verbosity is Verbosity.PROBLEMS
    assert started.service._grace == 7
    factory = started.service.parts.factory
    assert list(factory._ports._range) == [50000, 50001]
    assert started.again("") == [
        "settings read again, applied: tls, welcome, max-sessions, idle-timeout, rate-up, grace,"
        " umask, passive-ports, passive-address, log"
    ]
    assert started.session.data.passive_ports is None
    assert started.again("") == ["settings read again: nothing has changed"]
    started.stop()


def test_what_cannot_change_is_named_until_it_is_taken_back() -> None:
    started = Reloaded("", ALICE)
    text = """
        listen = ["tcp:2122"]
        auth = ["memory:bob:hidden"]
        anonymous = true
        tls = "off"
        durable = true
        idle-timeout = 9
    """
    waiting = "settings read again, a restart is needed for: listen, tls, auth, anonymous, durable"
    assert started.again(text) == ["settings read again, applied: idle-timeout", waiting]
    assert not started.session.anonymous
    assert started.session.tls.control is ControlTLS.OFFERED
    assert started.again(text) == [waiting]
    assert started.again("idle-timeout = 9") == ["settings read again: nothing has changed"]
    started.stop()


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("workers = 2", "a restart or 'ftpservice upgrade'"),
        ("workers = 1", "a restart"),
    ],
)
def test_an_upgrade_is_named_where_it_does_what_a_restart_does(text: str, needed: str) -> None:
    settings = settings_from(parse_toml(text))
    [line] = SettingsChange(settings, (), ("root",)).lines()
    assert line == f"settings read again, {needed} is needed for: root"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "idle-timeout = 9\nbogus = 1",
            "--config ftp.toml, line 2, bogus: unknown setting",
        ),
        ("idle-timeout = 9\numask = ", "--config ftp.toml, not TOML: "),
        ('idle-timeout = 9\nkey = ["a"]', "--key: give one for each --certificate"),
    ],
)
def test_a_malformed_file_changes_nothing_and_is_reported(text: str, message: str) -> None:
    started = Reloaded("idle-timeout = 5", ALICE)
    [line] = started.again(text)
    assert line.startswith(f"ftpservice: settings not read again: {message}")
    assert line.endswith("; the previous ones stay in force")
    assert started.session.idle_timeout == 5
    Path("ftp.toml").unlink()
    started.service.reload()
    assert "no such file or directory" in started.err.getvalue()
    started.stop()


HOOK = """
[[hook]]
name = "log"
on = ["upload"]
command = ["%s"]
gate = %s
"""


def test_hooks_change_and_one_that_cannot_work_changes_nothing() -> None:
    started = Reloaded("", ALICE)
    realm = started.service.parts.realm
    assert realm.gates is None
    assert started.again(HOOK % ("/bin/true", "true")) == ["settings read again, applied: hook"]
    gates = realm.gates
    assert gates is not None
    [line] = started.again(HOOK % ("/no/such", "true"))
    assert "[[hook]]: hook 'log': command '/no/such' is not an executable file" in line
    assert line.endswith("; the previous ones stay in force")
    plugin = HOOK.replace('["%s"]', '"%s"').replace("command", "plugin") % ("no.thing", "true")
    [line] = started.again(plugin)
    assert "plugin no.thing" in line
    assert realm.gates is gates
    assert started.again("") == ["settings read again, applied: hook"]
    assert realm.gates is None
    started.stop()


def test_gates_that_are_new_are_watched_for_traces() -> None:
    started = Reloaded("", ALICE, "--otel-endpoint=http://127.0.0.1:9")
    started.again(HOOK % ("/bin/true", "true"))
    gates = started.service.parts.realm.gates
    assert gates is not None
    [rule] = gates._rules
    assert rule.record.listener is not None
    started.stop()


def test_the_command_line_stays_before_the_file() -> None:
    started = Reloaded("idle-timeout = 5", ALICE, "--idle-timeout=7")
    assert started.again("idle-timeout = 9") == ["settings read again: nothing has changed"]
    assert started.session.idle_timeout == 7
    started.stop()


def test_other_certificates_are_used_and_a_bad_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftpservice.service.certificates import certificate_reload

    monkeypatch.setattr(certificate_reload, "BlockingPool", lambda *_words, **_more: InlineRunner())
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (self_signed_certificate(tmp_path / name) for name in ("one", "two"))
    started = Reloaded(f'certificate = ["{one}"]', ALICE)
    tls = started.service.parts.factory.tls
    assert tls is not None
    [before] = tls.certificates
    [line] = started.again('certificate = ["none.pem"]\nidle-timeout = 9')
    assert "none.pem cannot be read" in line
    assert list(tls.certificates) == [before]
    assert started.session.idle_timeout == 300
    assert started.again(f'certificate = ["{two}"]') == [
        "settings read again, applied: certificate"
    ]
    [after] = tls.certificates
    assert after.fingerprint != before.fingerprint
    assert tls._files == TLSFiles(((two, None),), None)
    started.stop()


def test_signals_that_come_while_the_file_is_read_make_one_more_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = Reloaded("", ALICE)
    looks: list[int] = []
    read = started.options.read_settings

    def look() -> ServiceSettings:
        looks.append(len(looks))
        if len(looks) == 1:
            started.service.reload()
            started.service.reload()
        return read()

    monkeypatch.setattr(started.options, "read_settings", look)
    started.service.reload()
    assert looks == [0, 1]
    started.stop()


def test_a_running_service_can_change_most_settings() -> None:
    restart = [name for name, setting in SETTINGS.items() if not setting.live]
    assert restart == [
        "listen", "implicit", "simple", "simple-tls", "root", "auth", "anonymous",
        "anonymous-root", "upload-digest", "data-dir", "durable", "passive-port",
        "passive-proxied", "http", "https",
        "http-host", "require-second-factor", "workers", "uid", "gid", "allow-root",
        "log-file", "control-socket", "allow-networks", "deny-networks", "core-dumps", "log-format",
        "xferlog", "metrics", "metrics-from", "otel-endpoint", "journal", "journal-keep",
        "journal-size", "journal-spool", "cluster", "cluster-node", "cluster-timeout",
        "cluster-wait",
        "acme", "acme-agree-tos", "acme-email", "acme-directory", "acme-ca-file",
        "acme-eab-key-id", "acme-eab-key-file", "acme-challenge", "acme-http", "acme-tls",
    ]  # fmt: skip

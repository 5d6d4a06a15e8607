from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from ftpservice.service.settings.settings import ServiceSettings, SettingsConflict, settings_from
from ftpservice.service.settings.table import SETTINGS, SETTINGS_BY_NAME
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSPolicy
from ftpservice.wire.paths import ROOT, VirtualPath


def test_the_defaults_are_those_of_a_session_and_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = settings_from({})
    assert settings.listen == ("tcp:2121:interface=127.0.0.1",)
    assert settings.root == f"local:{tmp_path}/var/files"
    assert settings.made == (f"{tmp_path}/var", f"{tmp_path}/var/files")
    assert settings.anonymous_root == ROOT
    assert not settings.durable
    assert settings.implicit == ()
    assert settings.offers_tls
    assert settings.session == SessionSettings(tls=TLSPolicy())


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        settings_from({}).durable = True  # type: ignore[misc]


def test_a_bare_path_is_a_directory_and_needs_no_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from({"root": "files"}).root == f"local:{tmp_path}/files"
    assert settings_from({"root": "files"}).made == ()
    assert settings_from({"root": "files", "data-dir": "own"}).made == (f"{tmp_path}/own",)
    assert settings_from({"data-dir": "/own"}).root == "local:/own/files"


def test_a_storage_string_stays_as_it_is() -> None:
    assert settings_from({"root": "memory:capacity=1M"}).root == "memory:capacity=1M"
    assert settings_from({"root": "/a:b\\c"}).root == "local:/a\\:b\\\\c"


def test_durable_is_asked_of_local_storages_that_do_not_say() -> None:
    durable = ServiceSettings((), "local:/x", durable=True)
    assert durable.kept("local:/x") == "local:/x:durable=yes"
    assert durable.kept("local:/x:durable=no") == "local:/x:durable=no"
    assert durable.kept("memory:") == "memory:"
    assert ServiceSettings((), "local:/x").kept("local:/x") == "local:/x"


def test_every_setting_arrives_where_it_belongs() -> None:
    given = {
        "welcome": SETTINGS_BY_NAME["welcome"].from_text("hello"),
        "anonymous": True,
        "anonymous-root": SETTINGS_BY_NAME["anonymous-root"].from_text("pub"),
        "max-sessions": SETTINGS_BY_NAME["max-sessions"].from_text("3"),
        "max-sessions-per-address": SETTINGS_BY_NAME["max-sessions-per-address"].from_text("2"),
        "max-sessions-per-user": SETTINGS_BY_NAME["max-sessions-per-user"].from_text("1"),
        "login-timeout": SETTINGS_BY_NAME["login-timeout"].from_text("11"),
        "idle-timeout": SETTINGS_BY_NAME["idle-timeout"].from_text("12.5"),
        "data-timeout": SETTINGS_BY_NAME["data-timeout"].from_text("13"),
        "stall-timeout": SETTINGS_BY_NAME["stall-timeout"].from_text("14"),
        "umask": SETTINGS_BY_NAME["umask"].from_text("027"),
        "ascii": SETTINGS_BY_NAME["ascii"].from_text("off"),
        "host-names": SETTINGS_BY_NAME["host-names"].checked(["FTP.example.com.", "b"]),
        "rate-down": SETTINGS_BY_NAME["rate-down"].from_text("20M"),
        "rate-up": SETTINGS_BY_NAME["rate-up"].from_text("500k"),
        "upload-digest": SETTINGS_BY_NAME["upload-digest"].from_text("sha-1"),
        "passive-ports": SETTINGS_BY_NAME["passive-ports"].from_text("50000-50100"),
        "passive-address": SETTINGS_BY_NAME["passive-address"].from_text("203.0.113.7"),
    }
    settings = settings_from(given)
    session = settings.session
    assert settings.anonymous_root == VirtualPath(("pub",))
    assert (session.welcome, session.anonymous, session.umask) == ("hello", True, 0o027)
    assert (session.rate_down, session.rate_up) == (20 * 2**20, 500 * 2**10)
    assert session.upload_digest == "SHA-1"
    assert not session.ascii
    assert session.host_names == {"ftp.example.com", "b"}
    assert session.max_sessions == 3
    assert (session.max_sessions_per_address, session.max_sessions_per_user) == (2, 1)
    assert (session.login_timeout, session.idle_timeout) == (11, 12.5)
    assert (session.data.data_timeout, session.data.stall_timeout) == (13, 14)
    assert session.data.passive_ports == given["passive-ports"]
    assert session.data.passive_addresses == given["passive-address"]


def test_tls_settings_arrive_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {
        "tls": "required-login",
        "tls-data": "required",
        "tls-handshake-timeout": "7",
        "client-ca": "/ca.pem",
    }
    given = {name: SETTINGS_BY_NAME[name].from_text(text) for name, text in texts.items()}
    given |= {"certificate": ("a.pem", "b.pem"), "key": ("a.key", "/b.key")}
    given |= {"implicit": ("tcp:990",), "allow-ccc": True, "allow-plaintext": True}
    given |= {"require-session-reuse": True, "tls-allow-truncated": True}
    settings = settings_from(given)
    assert settings.implicit == ("tcp:990",)
    assert settings.tls.certificates == (
        (tmp_path / "a.pem", tmp_path / "a.key"),
        (tmp_path / "b.pem", Path("/b.key")),
    )
    assert settings.tls.client_ca == Path("/ca.pem")
    data = settings.session.data
    assert (data.require_session_reuse, data.allow_truncated) == (True, True)
    assert data.handshake_timeout == 7
    required = (ControlTLS.REQUIRED_LOGIN, DataTLS.REQUIRED)
    assert settings.session.tls == TLSPolicy(*required, True, True, handshake_timeout=7)


def test_one_file_may_hold_certificate_and_key() -> None:
    pairs = settings_from({"certificate": ("/a.pem", "/b.pem")}).tls.certificates
    assert pairs == ((Path("/a.pem"), None), (Path("/b.pem"), None))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"implicit": ("tcp:990",), "tls": ControlTLS.OFF}, "take --tls off away"),
        ({"implicit": ("tcp:990",), "tls-data": DataTLS.OFF}, "take --tls-data off away"),
        ({"tls": ControlTLS.OFF, "tls-data": DataTLS.REQUIRED}, "nobody"),
        ({"certificate": ("a", "b"), "key": ("c",)}, "one for each"),
        ({"key": ("c",)}, "one for each"),
    ],
    ids=["implicit-off", "implicit-data-off", "data-required", "keys", "key-alone"],
)
def test_what_cannot_hold_together_is_refused(given: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingsConflict, match=line):
        settings_from(given)


def test_a_word_is_one_of_those_known() -> None:
    with pytest.raises(ValueError, match="not one of off, offered, required-login, required"):
        SETTINGS_BY_NAME["tls"].from_text("on")
    with pytest.raises(ValueError, match=r"not one of off, offered, required$"):
        SETTINGS_BY_NAME["tls-data"].from_text("required-login")


@pytest.mark.parametrize("text", ["", "x", "-1", "1_0", "1e3", "٣", "99999999999", " 5", "0"])
def test_a_count_is_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        SETTINGS_BY_NAME["max-sessions"].from_text(text)


@pytest.mark.parametrize("text", ["", "-1", "inf", "nan", "1e3", "5x", "1."])
def test_seconds_are_digits_or_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="seconds"):
        SETTINGS_BY_NAME["idle-timeout"].from_text(text)


@pytest.mark.parametrize("text", ["", "fast", "-1", "1.5M", "10 megs"])
def test_a_rate_is_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        SETTINGS_BY_NAME["rate-down"].from_text(text)


def test_a_digest_is_one_that_hash_knows_or_none() -> None:
    assert SETTINGS_BY_NAME["upload-digest"].from_text("None") == ""
    assert SETTINGS_BY_NAME["upload-digest"].from_text("sha256") == "SHA-256"
    with pytest.raises(ValueError, match="none, CRC32, MD5, SHA-1, SHA-256, SHA-512"):
        SETTINGS_BY_NAME["upload-digest"].from_text("SHA3")


def test_every_default_is_one_that_a_user_could_write() -> None:
    for setting in SETTINGS:
        initial = setting.initial
        if isinstance(setting.default, str):
            assert setting.from_text(setting.default) == initial
        assert setting.help.endswith(".")


def test_the_page_of_settings_is_current() -> None:
    from docs.make_settings import settings_reference

    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_reference(), f"run make docs{os.linesep}"


@pytest.mark.parametrize(("value", "meant"), [("off", False), (False, False), ("ON", True)])
def test_a_switch_is_on_or_off(value: object, meant: bool) -> None:
    assert SETTINGS_BY_NAME["ascii"].checked(value) is meant
    with pytest.raises(ValueError, match=r"is not \"on\" or \"off\""):
        SETTINGS_BY_NAME["ascii"].checked("never")


def test_a_host_name_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="not the name of a host"):
        SETTINGS_BY_NAME["host-names"].checked(["a b"])

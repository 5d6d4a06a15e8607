from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.settings import (
    SETTINGS,
    ServiceSettings,
    settings_from,
)
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
    assert settings.own_directories == (f"{tmp_path}/var", f"{tmp_path}/var/files")
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
    assert settings_from({"root": "files"}).own_directories == ()
    assert settings_from({"root": "files", "data-dir": "own"}).own_directories == (
        f"{tmp_path}/own",
    )
    assert settings_from({"data-dir": "/own"}).root == "local:/own/files"


def test_a_storage_string_stays_as_it_is() -> None:
    assert settings_from({"root": "memory:capacity=1M"}).root == "memory:capacity=1M"
    assert settings_from({"root": "/a:b\\c"}).root == "local:/a\\:b\\\\c"


def test_durable_is_added_to_local_storage_strings_without_it() -> None:
    durable = ServiceSettings(root="local:/x", durable=True)
    assert durable.storage_string("local:/x") == "local:/x:durable=yes"
    assert durable.storage_string("local:/x:durable=no") == "local:/x:durable=no"
    assert durable.storage_string("memory:") == "memory:"
    assert ServiceSettings(root="local:/x").storage_string("local:/x") == "local:/x"


def test_every_setting_arrives_where_it_belongs() -> None:
    given = {
        "welcome": SETTINGS["welcome"].parse("hello"),
        "anonymous": True,
        "anonymous-root": SETTINGS["anonymous-root"].parse("pub"),
        "max-sessions": SETTINGS["max-sessions"].parse("3"),
        "max-sessions-per-address": SETTINGS["max-sessions-per-address"].parse("2"),
        "max-sessions-per-user": SETTINGS["max-sessions-per-user"].parse("1"),
        "login-timeout": SETTINGS["login-timeout"].parse("11"),
        "idle-timeout": SETTINGS["idle-timeout"].parse("12.5"),
        "data-timeout": SETTINGS["data-timeout"].parse("13"),
        "stall-timeout": SETTINGS["stall-timeout"].parse("14"),
        "umask": SETTINGS["umask"].parse("027"),
        "ascii": SETTINGS["ascii"].parse("off"),
        "host-names": SETTINGS["host-names"].parse(["FTP.example.com.", "b"]),
        "rate-down": SETTINGS["rate-down"].parse("20M"),
        "rate-up": SETTINGS["rate-up"].parse("500k"),
        "upload-digest": SETTINGS["upload-digest"].parse("sha-1"),
        "passive-ports": SETTINGS["passive-ports"].parse("50000-50100"),
        "passive-address": SETTINGS["passive-address"].parse("203.0.113.7"),
        "passive-port": SETTINGS["passive-port"].parse("40000"),
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
    assert session.data.passive_port == 40000
    assert session.data.passive_addresses == given["passive-address"]


def test_the_shared_port_is_none_of_the_range() -> None:
    given = {"passive-ports": (50000, 50099), "passive-port": 50099, "root": "memory:"}
    with pytest.raises(SettingsConflict, match="--passive-port 50099 is one of --passive-ports"):
        settings_from(given)


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
    given = {name: SETTINGS[name].parse(text) for name, text in texts.items()}
    given |= {"certificate": ("a.pem", "b.pem"), "key": ("a.key", "/b.key")}
    given |= {"implicit": ("tcp:990",), "allow-ccc": True, "allow-plaintext": True}
    given |= {"require-session-reuse": True, "tls-allow-truncated": True}
    settings = settings_from(given)
    assert settings.implicit == ("tcp:990",)
    assert settings.tls_files.certificates == (
        (tmp_path / "a.pem", tmp_path / "a.key"),
        (tmp_path / "b.pem", Path("/b.key")),
    )
    assert settings.tls_files.client_ca == Path("/ca.pem")
    data = settings.session.data
    assert (data.require_session_reuse, data.allow_truncated) == (True, True)
    assert data.handshake_timeout == 7
    required = (ControlTLS.REQUIRED_LOGIN, DataTLS.REQUIRED)
    assert settings.session.tls == TLSPolicy(*required, True, True, handshake_timeout=7)


def test_one_file_may_hold_certificate_and_key() -> None:
    pairs = settings_from({"certificate": ("/a.pem", "/b.pem")}).tls_files.certificates
    assert pairs == ((Path("/a.pem"), None), (Path("/b.pem"), None))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"implicit": ("tcp:990",), "tls": ControlTLS.OFF}, "remove --tls off"),
        ({"implicit": ("tcp:990",), "tls-data": DataTLS.OFF}, "remove --tls-data off"),
        ({"tls": ControlTLS.OFF, "tls-data": DataTLS.REQUIRED}, "refuse every transfer"),
        ({"certificate": ("a", "b"), "key": ("c",)}, "one for each"),
        ({"key": ("c",)}, "one for each"),
        ({"listen": ()}, "no endpoint: set one of listen, implicit, simple, simple-tls, http"),
    ],
    ids=["implicit-off", "implicit-data-off", "data-required", "keys", "key-alone", "no-endpoint"],
)
def test_what_cannot_hold_together_is_refused(given: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingsConflict, match=line):
        settings_from(given)


def test_a_word_is_one_of_those_known() -> None:
    with pytest.raises(ValueError, match="not one of off, offered, required-login, required"):
        SETTINGS["tls"].parse("on")
    with pytest.raises(ValueError, match=r"not one of off, offered, required$"):
        SETTINGS["tls-data"].parse("required-login")


@pytest.mark.parametrize("text", ["", "x", "-1", "1_0", "1e3", "٣", "99999999999", " 5", "0"])
def test_a_count_is_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        SETTINGS["max-sessions"].parse(text)


@pytest.mark.parametrize("text", ["", "-1", "inf", "nan", "1e3", "5x", "1."])
def test_seconds_are_digits_or_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="seconds"):
        SETTINGS["idle-timeout"].parse(text)


@pytest.mark.parametrize("text", ["", "fast", "-1", "1.5M", "10 megs"])
def test_a_rate_is_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        SETTINGS["rate-down"].parse(text)


def test_a_digest_is_an_algorithm_of_hash_or_none() -> None:
    assert SETTINGS["upload-digest"].parse("None") == ""
    assert SETTINGS["upload-digest"].parse("sha256") == "SHA-256"
    with pytest.raises(ValueError, match="none, CRC32, MD5, SHA-1, SHA-256, SHA-512"):
        SETTINGS["upload-digest"].parse("SHA3")


def test_every_default_is_one_that_a_user_could_write() -> None:
    for name, setting in SETTINGS.items():
        assert setting.name == name
        if isinstance(setting.default, str):
            assert setting.parse(setting.default) == setting.default_value()
        assert setting.help.endswith(".")


def test_the_page_of_settings_is_current() -> None:
    from docs.make_settings import settings_reference

    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_reference(), f"run make docs{os.linesep}"


@pytest.mark.parametrize(("value", "meant"), [("off", False), (False, False), ("ON", True)])
def test_a_switch_is_on_or_off(value: object, meant: bool) -> None:
    assert SETTINGS["ascii"].parse(value) is meant
    with pytest.raises(ValueError, match=r"is not \"on\" or \"off\""):
        SETTINGS["ascii"].parse("never")


def test_a_wrong_host_name_is_reported() -> None:
    with pytest.raises(ValueError, match="not a host name"):
        SETTINGS["host-names"].parse(["a b"])

"""Which changes of settings a running service applies, and which wait for a restart."""

from __future__ import annotations

from typing import Any

from ftpservice.service.settings.live_settings import live_settings
from ftpservice.service.settings.settings import SETTINGS, settings_from
from ftpservice.session.tls_policy import ControlTLS


def change(
    before: dict[str, Any], after: dict[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is applied and what waits."""
    live = live_settings(settings_from(before), settings_from(after))
    for name in live.applied:
        assert live.settings.value(name) == settings_from(after).value(name)
    for name in live.waiting:
        assert live.settings.value(name) == settings_from(before).value(name)
    return live.applied, live.waiting


def test_without_a_change_nothing_is_applied() -> None:
    assert change({}, {}) == ((), ())


def test_a_change_of_a_live_setting_is_applied_and_the_others_wait() -> None:
    after = {"max-sessions": 7, "listen": ["tcp:2222:interface=127.0.0.1"]}
    assert SETTINGS["max-sessions"].live and not SETTINGS["listen"].live
    assert change({}, after) == (("max-sessions",), ("listen",))


def test_certificates_are_replaced_but_not_added_or_removed() -> None:
    old, new = {"certificate": "/old.pem"}, {"certificate": "/new.pem"}
    assert change(old, new) == (("certificate",), ())
    assert change({}, new) == ((), ("certificate",))
    assert change(old, {}) == ((), ("certificate",))


def test_tls_changes_at_once_unless_it_is_or_was_off() -> None:
    required, off = {"tls": ControlTLS.REQUIRED}, {"tls": ControlTLS.OFF}
    assert change({}, required) == (("tls",), ())
    assert change({}, off) == ((), ("tls",))
    assert change(off, required) == ((), ("tls",))

"""Which settings a running service can change, and what a change of the others leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ftpservice.service.settings.settings import SETTINGS, ServiceSettings
from ftpservice.session.tls_policy import ControlTLS

__all__ = ["CERTIFICATE_SETTINGS", "LiveSettings", "live_settings"]

CERTIFICATE_SETTINGS = frozenset(("certificate", "key", "client-ca"))


class LiveSettings(NamedTuple):
    """The settings in force after a change."""

    settings: ServiceSettings
    applied: tuple[str, ...]
    waiting: tuple[str, ...]
    """The settings that changed but need a restart."""


def live_settings(before: ServiceSettings, after: ServiceSettings) -> LiveSettings:
    """Return what of a change applies at once; raises `ValueError` if that contradicts itself."""
    changed = [name for name in SETTINGS if before.value(name) != after.value(name)]
    live = tuple(name for name in changed if _is_live(name, before, after))
    values = {name.replace("-", "_"): after.value(name) for name in live}
    settings = replace(before, **values)
    settings.check()
    return LiveSettings(settings, live, tuple(name for name in changed if name not in live))


def _is_live(name: str, before: ServiceSettings, after: ServiceSettings) -> bool:
    """Return whether a running service can apply this change."""
    off = ControlTLS.OFF in (before.tls, after.tls)
    if name == "tls":
        return not off
    if name in CERTIFICATE_SETTINGS:
        return bool(before.certificate and after.certificate) and not off
    return SETTINGS[name].live

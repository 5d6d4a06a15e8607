"""The settings of the HTTP server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.parsers import parse_host, parse_listen_address
from ftpservice.service.settings.setting import TEXTS, setting

__all__ = ["WebSettings", "require_endpoint"]

LISTENING = ("listen", "implicit", "simple", "simple-tls", "http", "https")
"""Settings with endpoints."""


def require_endpoint(value: Callable[[str], Any]) -> None:
    """Raise `SettingsConflict` if the service has no port; ``value`` returns that of a setting."""
    if not any(map(value, LISTENING)):
        raise SettingsConflict(f"no endpoint: set one of {', '.join(LISTENING)}")


@dataclass(frozen=True)
class WebSettings:
    """Where the HTTP server listens, and by which names it is known."""

    http: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Endpoint of the HTTP server without TLS, such as tcp:8021:interface=127.0.0.1.",
        parse_listen_address,
        example='["tcp:8021:interface=127.0.0.1"]',
    )
    https: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Endpoint of the HTTP server with TLS and the certificates of the service, such as "
        "tcp:8443.",
        parse_listen_address,
        example='["tcp:8443"]',
    )
    http_host: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Name by which browsers and programs address the HTTP server; requests for another name "
        "are refused. Addresses, localhost and the names of acme are always accepted.",
        parse_host,
        example='["ftp.example.com"]',
    )

    require_second_factor: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Whose logins to the HTTP server need a second factor: admins (accounts with the right "
        "admin), all, the name of an account, or a group such as @staff.",
        example='["admins"]',
    )

    def check_web(self, offers_tls: bool, data_dir: str | None) -> None:
        """Raise `SettingsConflict` if the HTTP server cannot have these endpoints."""
        if self.require_second_factor and not (self.http or self.https):
            raise SettingsConflict("--require-second-factor needs --http or --https")
        if self.require_second_factor and data_dir is None:
            raise SettingsConflict("--require-second-factor needs --data-dir, where they are kept")
        if self.https and not offers_tls:
            raise SettingsConflict("--https needs TLS: remove --tls off")
        for option, endpoints in (("http", self.http), ("https", self.https)):
            for text in endpoints:
                if text.startswith("haproxy:"):
                    raise SettingsConflict(
                        f"--{option} {text}: the PROXY protocol is not supported here; let the "
                        "load balancer connect to a plain endpoint"
                    )

"""Which certificates of servers are trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ftpservice.wire.units import checked_path

__all__ = ["Trust"]

FINGERPRINT_PATTERN = re.compile(r"[0-9A-F]{64}")


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificates are trusted; by default those of the system's authorities.

    The certificate has to be valid for the host name. Set at most one of the three. Raises
    `ValueError` for an invalid fingerprint or several settings, and `TypeError` for a wrong type.
    """

    ca_file: Path | None = None
    """Authorities (or the server's own certificate) in PEM, instead of the system's."""
    fingerprint: str = ""
    """The SHA-256 of the only accepted certificate, whatever its issuer and names are;
    hexadecimal, with colons or without."""
    insecure: bool = False
    """Whether any certificate is accepted: an attacker on the path can then read everything."""

    def __post_init__(self) -> None:
        if self.ca_file is not None:
            object.__setattr__(self, "ca_file", checked_path("ca_file", self.ca_file))
        if not isinstance(self.fingerprint, str) or not isinstance(self.insecure, bool):
            raise TypeError(
                "fingerprint is a str and insecure a bool,"
                f" not {self.fingerprint!r} and {self.insecure!r}"
            )
        if self.fingerprint and not FINGERPRINT_PATTERN.fullmatch(self.normalized_fingerprint):
            raise ValueError("a SHA-256 fingerprint is 64 hexadecimal digits")
        if (self.ca_file is not None) + bool(self.fingerprint) + self.insecure > 1:
            raise ValueError(
                "ca_file, fingerprint and insecure exclude each other: a fingerprint is trusted"
                " whatever the authorities are, and insecure trusts every certificate"
            )

    @property
    def normalized_fingerprint(self) -> str:
        """The fingerprint in capitals without colons; empty for none."""
        return self.fingerprint.replace(":", "").replace(" ", "").upper()

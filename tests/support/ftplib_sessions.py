"""Sessions of Python's ``ftplib``, and whole files through them."""

from __future__ import annotations

import ftplib
import io
from collections.abc import Callable, Iterator

import pytest

from tests.support.raw_client import RunningService

__all__ = ["LOCAL", "Login", "download", "login", "upload"]

LOCAL = "127.0.0.1"
PATIENCE = 30

Login = Callable[..., ftplib.FTP]


@pytest.fixture
def login(server: Callable[..., RunningService]) -> Iterator[Login]:
    """Log in: ``login(served, host=..., **settings of FTP)``; closed after the test."""
    opened: list[ftplib.FTP] = []

    def enter(served: RunningService, host: str = LOCAL, **settings: object) -> ftplib.FTP:
        ftp = ftplib.FTP(timeout=PATIENCE, **settings)  # type: ignore[arg-type]
        opened.append(ftp)
        assert ftp.connect(host, served.port).startswith("220")
        assert ftp.login("demo", "demo").startswith("230")
        return ftp

    yield enter
    for ftp in opened:
        ftp.close()


def download(ftp: ftplib.FTP, name: str, rest: int | None = None) -> bytes:
    """Return a file from the offset ``rest``; the download must be complete."""
    parts: list[bytes] = []
    assert ftp.retrbinary(f"RETR {name}", parts.append, rest=rest).startswith("226")
    return b"".join(parts)


def upload(ftp: ftplib.FTP, name: str, data: bytes, rest: int | None = None) -> None:
    """Upload a file from the offset ``rest``; the upload must be complete."""
    assert ftp.storbinary(f"STOR {name}", io.BytesIO(data), rest=rest).startswith("226")

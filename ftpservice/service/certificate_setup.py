"""The certificates that the service begins with: those of the settings, or one of its own."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from ftpservice.net.tls.self_signed import made_certificate
from ftpservice.net.tls.server import CertificateProblem, ServerTLS, TLSFiles
from ftpservice.service.certificate_reload import Version, versions
from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import CannotStart, because
from ftpservice.service.settings.settings import Settings

__all__ = ["Certificates", "certificates", "loaded"]


@dataclass(frozen=True)
class Certificates:
    """What was loaded."""

    tls: ServerTLS
    paths: tuple[Path, ...]
    """The files to watch."""
    versions: tuple[Version, ...]
    """Those of the files, before they were read."""
    own: bool = False
    """Whether it was made here, and nobody vouches for it."""


def certificates(settings: Settings, owner: Owner) -> Certificates | None:
    """Load or make them (blocks); None where there is no TLS. Raises `CannotStart`."""
    if not settings.offers_tls:
        return None
    try:
        if settings.tls.certificates:
            return loaded(settings.tls)
        return _made(settings, owner)
    except (CertificateProblem, OSError) as error:
        raise CannotStart(f"no certificate: {because(error)}") from None


def loaded(files: TLSFiles) -> Certificates:
    """Load certificates (blocks); raises `CertificateProblem`."""
    pairs = [path for pair in files.certificates for path in pair if path is not None]
    authorities = [files.client_ca] if files.client_ca is not None else []
    paths = (*pairs, *authorities)
    before = versions(paths)
    return Certificates(ServerTLS.load(files), paths, before)


def _made(settings: Settings, owner: Owner) -> Certificates:
    """Return those of a certificate of ours: kept in the data directory, where there is one."""
    if settings.made:
        path = made_certificate(Path(settings.made[0]))
        if owner != (-1, -1):
            os.chown(path, *owner)
        return replace(loaded(replace(settings.tls, certificates=((path, None),))), own=True)
    with tempfile.TemporaryDirectory(prefix="ftpservice-") as directory:
        passing = made_certificate(Path(directory))
        papers = loaded(replace(settings.tls, certificates=((passing, None),)))
    return replace(papers, paths=(), versions=(), own=True)

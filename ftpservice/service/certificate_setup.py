"""The certificates that the service begins with: those of the settings, or one of its own."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from ftpservice.net.tls.self_signed import self_signed_certificate
from ftpservice.net.tls.server import CertificateError, ServerTLS, TLSFiles
from ftpservice.service.certificate_reload import FileVersion, file_versions
from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["LoadedCertificates", "load_certificates", "load_or_make_certificates"]


@dataclass(frozen=True)
class LoadedCertificates:
    """What was loaded."""

    tls: ServerTLS
    paths: tuple[Path, ...]
    """The files to watch."""
    versions: tuple[FileVersion, ...]
    """Those of the files, before they were read."""
    own: bool = False
    """Whether it was made here, and nobody vouches for it."""


def load_or_make_certificates(settings: ServiceSettings, owner: Owner) -> LoadedCertificates | None:
    """Load or make them (blocks); None where there is no TLS. Raises `CannotStart`."""
    if not settings.offers_tls:
        return None
    try:
        if settings.tls.certificates:
            return load_certificates(settings.tls)
        return _made(settings, owner)
    except (CertificateError, OSError) as error:
        raise CannotStart(f"no certificate: {error_text(error)}") from None


def load_certificates(files: TLSFiles) -> LoadedCertificates:
    """Load certificates (blocks); raises `CertificateError`."""
    pairs = [path for pair in files.certificates for path in pair if path is not None]
    authorities = [files.client_ca] if files.client_ca is not None else []
    paths = (*pairs, *authorities)
    before = file_versions(paths)
    return LoadedCertificates(ServerTLS.load(files), paths, before)


def _made(settings: ServiceSettings, owner: Owner) -> LoadedCertificates:
    """Return those of a certificate of ours: kept in the data directory, where there is one."""
    if settings.made:
        path = self_signed_certificate(Path(settings.made[0]))
        if owner != (-1, -1):
            os.chown(path, *owner)
        return replace(
            load_certificates(replace(settings.tls, certificates=((path, None),))), own=True
        )
    with tempfile.TemporaryDirectory(prefix="ftpservice-") as directory:
        passing = self_signed_certificate(Path(directory))
        papers = load_certificates(replace(settings.tls, certificates=((passing, None),)))
    return replace(papers, paths=(), versions=(), own=True)

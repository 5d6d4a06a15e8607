"""The certificates that the service starts with: those of the settings, or a self-signed one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from ftpservice.net.tls.self_signed import self_signed_certificate
from ftpservice.net.tls.server import CertificateError, ServerTLS, TLSFiles
from ftpservice.service.certificate_reload import FileVersion, file_versions
from ftpservice.service.settings.directories import Owner, acting_as
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["LoadedCertificates", "load_certificates", "load_or_make_certificates"]


@dataclass(frozen=True)
class LoadedCertificates:
    """Certificates, and the files they were loaded from."""

    tls: ServerTLS
    paths: tuple[Path, ...]
    """The files to watch."""
    versions: tuple[FileVersion, ...]
    """The versions of the files before they were read."""
    is_self_signed: bool = False
    """Whether the service made the certificate."""


def load_or_make_certificates(settings: ServiceSettings, owner: Owner) -> LoadedCertificates | None:
    """Load the certificates (blocks), or make one; None without TLS. Raises `CannotStart`."""
    if not settings.offers_tls:
        return None
    try:
        if settings.certificate:
            return load_certificates(settings.tls_files)
        return _self_signed(settings, owner)
    except (CertificateError, OSError) as error:
        raise CannotStart(f"no certificate: {error_text(error)}") from None


def load_certificates(files: TLSFiles) -> LoadedCertificates:
    """Load certificates (blocks); raises `CertificateError`."""
    pairs = [path for pair in files.certificates for path in pair if path is not None]
    authorities = [files.client_ca] if files.client_ca is not None else []
    paths = (*pairs, *authorities)
    before = file_versions(paths)
    return LoadedCertificates(ServerTLS.load(files), paths, before)


def _self_signed(settings: ServiceSettings, owner: Owner) -> LoadedCertificates:
    """Load a self-signed certificate; it is kept in the data directory, if there is one."""
    if settings.own_directories:
        with acting_as(owner):
            path = self_signed_certificate(Path(settings.own_directories[0]))
            files = replace(settings.tls_files, certificates=((path, None),))
            return replace(load_certificates(files), is_self_signed=True)
    with tempfile.TemporaryDirectory(prefix="ftpservice-") as directory:
        path = self_signed_certificate(Path(directory))
        loaded = load_certificates(replace(settings.tls_files, certificates=((path, None),)))
    return replace(loaded, paths=(), versions=(), is_self_signed=True)

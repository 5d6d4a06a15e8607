"""A real ACME authority of a test's own: Debian's ``pebble``, and its server of DNS names."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ports import reserved_port
from tests.support.certificates import Authority
from tests.support.run_watcher import end_with_run
from tests.support.service_process import PATIENCE

__all__ = ["BLOCKED_NAME", "Pebble", "pebble_is_missing"]

BLOCKED_NAME = "blocked.example"
"""A name that the authority refuses."""

pebble_is_missing = pytest.mark.skipif(
    shutil.which("pebble") is None, reason="pebble is not installed"
)


class Pebble:
    """A running authority; a context manager. ``stop`` and ``start`` may be called within.

    Every name leads to 127.0.0.1, where challenges are sent to ``http_port`` and ``tls_port``. With
    ``account_keys``, accounts need one of these MAC keys, in base64url by identifier.
    """

    def __init__(
        self,
        directory: Path,
        *,
        validity: int = 0,
        nonces_refused: int = 0,
        account_keys: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory / "pebble"
        self.directory.mkdir()
        web = Authority(self.directory, "web-authority")
        self.ca_file = web.path
        self._at_exit = contextlib.ExitStack()
        ports = [self._at_exit.enter_context(reserved_port()) for _ in range(6)]
        self.http_port, self.tls_port, self.port, self._management, self._dns, self._names = ports
        certificate = web.certificate("pebble")
        table: dict[str, Any] = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(certificate),
            "privateKey": str(certificate),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": account_keys is not None,
            "externalAccountMACKeys": account_keys or {},
            "domainBlocklist": [BLOCKED_NAME],
        }
        if validity:
            table["certificateValidityPeriod"] = validity
        (self.directory / "config.json").write_text(json.dumps({"pebble": table}))
        self._environment = os.environ | {
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonces_refused),
            "PEBBLE_AUTHZREUSE": "0",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Pebble:
        self._at_exit.callback(self.stop)
        try:
            self.start()
        except BaseException:
            self._at_exit.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._at_exit.close()

    @property
    def url(self) -> str:
        """The URL of the directory."""
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def log(self) -> str:
        """What the authority has logged."""
        return (self.directory / "log").read_text()

    @property
    def orders(self) -> int:
        """How many orders were made."""
        return self.log.count(" Added order ")

    @property
    def is_validating(self) -> bool:
        """Whether a challenge is being checked."""
        log = self.log
        ended = log.count(" set VALID by ") + self.failed_challenges
        return log.count(" Pulled a task ") > ended

    @property
    def failed_challenges(self) -> int:
        """How many challenges have failed."""
        return self.log.count(" set INVALID by ")

    def options(self, *names: str) -> list[str]:
        """Return the options of a service for these names."""
        return [
            *(f"--acme={name}" for name in names),
            "--acme-agree-tos",
            f"--acme-directory={self.url}",
            f"--acme-ca-file={self.ca_file}",
            f"--acme-http=tcp:{self.http_port}:interface=127.0.0.1",
            f"--acme-tls=tcp:{self.tls_port}:interface=127.0.0.1",
        ]

    def start(self) -> None:
        """Start, and wait until it accepts connections; what it knew before is gone."""
        names = ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{self._dns}", "-defaultIPv6", ""]
        names += ["-http01", "", "-https01", "", "-tlsalpn01", ""]
        self._run([*names, "-management", f"127.0.0.1:{self._names}"])
        self._run(
            ["pebble", "-config", "config.json", "-dnsserver", f"127.0.0.1:{self._dns}"],
        )
        for port in (self.port, self._names):
            self._wait_for(port)

    def stop(self) -> None:
        """Stop at once."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.kill()
            process.wait(PATIENCE)

    def root(self) -> str:
        """Return the certificate that signs those that are issued, in PEM."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        url = f"https://127.0.0.1:{self._management}/roots/0"
        with urllib.request.urlopen(url, context=context, timeout=PATIENCE) as answer:
            text: str = answer.read().decode()
        return text

    def _run(self, command: list[str]) -> None:
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(end_with_run(process))

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert all(one.poll() is None for one in self._processes), self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
            else:
                return

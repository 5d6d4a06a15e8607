"""What the service sends to systemd, without ever blocking."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ftpservice.service.sd_notify import ServiceManager


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_notified(tmp_path: Path, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(20)
        listening.bind(f"\0{path}" if abstract else path)
        manager = ServiceManager({"NOTIFY_SOCKET": f"@{path}" if abstract else path})
        manager.ready("serving")
        manager.reloading()
        manager.stopping("over")
        said = [listening.recv(4096).decode() for _ in range(3)]
    assert said[0] == "READY=1\nSTATUS=serving"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2] == "STOPPING=1\nSTATUS=over"


def test_a_missing_service_manager_is_not_an_error(tmp_path: Path) -> None:
    ServiceManager({}).ready("serving")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready("serving")


def test_one_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        manager = ServiceManager({"NOTIFY_SOCKET": path})
        for _ in range(1000):
            manager.ready("x" * 1000)

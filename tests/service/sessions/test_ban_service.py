"""The lists of networks of a service: read and arranged in a thread."""

from __future__ import annotations

from pathlib import Path
from threading import current_thread
from time import time
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.accounts.defence.networks import NetworkTable, network_set
from ftpservice.service.sessions import ban_service as module
from ftpservice.service.sessions.ban_service import BanService


@ensureDeferred
async def test_a_changed_list_is_arranged_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    threads: list[str] = []

    def arranged(networks: Any) -> NetworkTable[None]:
        threads.append(current_thread().name)
        return network_set(networks)

    path = tmp_path / "denied"
    path.write_text("10.0.0.0/8\n")
    bans = BanList(time, BanRules())
    service = BanService(bans, None, (None, str(path)), reactor)
    monkeypatch.setattr(module, "network_set", arranged)
    service.startService()
    try:
        path.write_text("10.0.0.0/8\n198.51.100.0/24\n")
        await service._check_in_thread()
        assert bans.refusal("198.51.100.7") == "Connections from your address are not allowed."
        assert threads == ["bans 1"] * 2
    finally:
        await service.stopService()

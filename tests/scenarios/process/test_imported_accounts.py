"""Accounts of other programs log in to a running service, and their hashes become argon2id."""

from __future__ import annotations

import ftplib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftpservice.accounts.passwd_store import PasswordFileStore
from tests.support.service_process import PATIENCE, Program, checkout_environment

COMMAND = [sys.executable, "-c", "from ftpservice.admin.cli import main; main()"]
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
YESCRYPT = "$y$j75$OUsd4gu.RQpsDq6GTYzvF0$WVlyAK3rHTy4hATNVoOFG/P8t4fLi0fOSCqrJaPgDu5"
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
ACCOUNTS = {"ann": (BCRYPT, "secret"), "ben": (SHA, "secret"), "cat": (YESCRYPT, "s3cret pässwörd")}


def login(port: int, name: str, password: str) -> str:
    with ftplib.FTP(encoding="utf-8") as client:
        client.connect("127.0.0.1", port, timeout=20)
        return client.login(name, password)


def test_imported_accounts_log_in_and_their_hashes_are_replaced(tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "passwd", "-6", "secret"], capture_output=True, text=True, check=True
    ).stdout.strip()
    accounts = ACCOUNTS | {"dan": (made, "secret")}
    (tmp_path / "users").write_text(
        "".join(f"{name}:{hashed}\n" for name, (hashed, _) in accounts.items())
    )
    subprocess.run(
        [*COMMAND, "user", "import", "users", "--root", "/{user}", "--store", "passwd:passwd.db"],
        cwd=tmp_path,
        env=checkout_environment(),
        check=True,
        timeout=PATIENCE,
    )
    store = PasswordFileStore(str(tmp_path / "passwd.db"))
    served = tmp_path / "served"
    served.mkdir()
    options = ["--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with Program(
        [*COMMAND, "serve", "--allow-root", *options, f"--root=local:{served}"], tmp_path
    ) as running:
        port = running.port()
        for name, (_, password) in accounts.items():
            with pytest.raises(ftplib.error_perm, match="530"):
                login(port, name, "wrong")
            assert login(port, name, password).startswith("230")
        deadline = time.monotonic() + PATIENCE
        while not all(one.password_hash.startswith("$argon2id$") for one in store.accounts()):
            assert time.monotonic() < deadline, store.accounts()
            time.sleep(0.1)
        for name, (_, password) in accounts.items():
            assert login(port, name, password).startswith("230")
            with pytest.raises(ftplib.error_perm, match="530"):
                login(port, name, "wrong")
        assert "s3cret" not in running.output

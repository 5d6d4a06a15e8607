"""What accounts use of their quotas, shown and counted again by a running service."""

import ftplib
import json
import sys
from io import BytesIO

import pytest
from click.testing import CliRunner

from ftpservice.accounts.password_hash import hash_password
from ftpservice.admin.cli import ftpservice
from tests.support.service_process import PATIENCE, Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
SETTINGS = """listen = ["tcp:0:interface=127.0.0.1"]
auth = ["passwd:passwd.db"]
data-dir = "var"
allow-plaintext = true
"""


def run(place, *words):
    done = CliRunner().invoke(
        ftpservice, ["quota", *words, "--socket", f"{place}/var/control.sock"]
    )
    return done.exit_code, done.stdout + done.stderr


def states(place, *words):
    status, output = run(place, *words, "--json")
    assert status == 0, output
    return json.loads(output)


@pytest.fixture
def service(tmp_path):
    hashed = hash_password("secret")
    (tmp_path / "passwd.db").write_text(
        f"ann:{hashed}:/ann:full:quota=10k,quota-files=5\nbob:{hashed}:/bob:full\n"
    )
    (tmp_path / "passwd.db").chmod(0o600)
    (tmp_path / "ftp.toml").write_text(SETTINGS)
    for name in ("ann", "bob"):
        (tmp_path / "var/files" / name).mkdir(parents=True)
    with Program([*SERVE, "--config", "ftp.toml"], tmp_path) as program:
        program.port()
        yield program


def test_use_and_quota_of_accounts_are_shown(service, tmp_path):
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", service.port(), PATIENCE)
        client.login("ann", "secret")
        client.storbinary("STOR letter", BytesIO(bytes(2048)))
    assert states(tmp_path, "show", "ann", "bob") == [
        {"user": "ann", "bytes": 2048, "files": 1, "quota_bytes": 10240, "quota_files": 5},
        {"user": "bob", "bytes": 0, "files": 0, "quota_bytes": None, "quota_files": None},
    ]
    status, output = run(tmp_path, "show", "ann")
    assert status == 0
    line = output.splitlines()[1]
    assert line.startswith("ann ")
    assert "(2,048)" in line
    assert "(10,240)" in line


def test_a_recount_finds_what_another_program_has_added(service, tmp_path):
    assert states(tmp_path, "show", "ann")[0]["bytes"] == 0
    (tmp_path / "var/files/ann/copied").write_bytes(bytes(300))
    assert states(tmp_path, "recount", "ann")[0]["bytes"] == 300
    assert states(tmp_path, "show", "ann")[0]["bytes"] == 300


def test_an_unknown_account_is_refused(service, tmp_path):
    assert run(tmp_path, "show", "eve") == (1, "ftpservice: there is no account 'eve'\n")
    assert run(tmp_path, "show")[0] == 2


def test_a_service_that_does_not_run(tmp_path):
    status, output = run(tmp_path, "recount", "ann")
    assert status == 3
    assert "is the service running?" in output

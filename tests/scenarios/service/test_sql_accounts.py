"""The service with accounts in a database: changes by SQL, a server that stops or hangs."""

import ftplib
import io
import socket
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.password_hash import verify
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.accounts.sql.sql_store import SQLStore
from ftpservice.admin.cli import ftpservice
from tests.accounts.doubles import SECRET
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LISTEN = "--listen=tcp:0:interface=127.0.0.1"
SIMPLE = "--simple=tcp:0:interface=127.0.0.1"
DOWN = "421 Accounts cannot be checked at the moment; try again later."
IN_TIME = 3.0 + BUSY_SECONDS


@pytest.fixture(scope="module")
def server():
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def url(server):
    return server.url(server.new_database())


@pytest.fixture
def store(url):
    store = SQLStore(parse_database_url(url))
    upgrade(store.database)
    store.add_many([AccountRecord(name, SECRET, f"/{name}") for name in ("ann", "ben")])
    return store


@contextmanager
def serving(directory: Path, *stores, options=()):
    config = directory / "ftpservice.toml"
    config.write_text(f"auth = {[str(one) for one in stores]}\nban-time = 0\n")
    command = [*SERVE, "--config", config, LISTEN, SIMPLE, *options]
    with Program(command, directory) as program:
        yield program
        program.process.terminate()
        assert program.process.wait(PATIENCE) == 0
        while program._read(time.monotonic() + PATIENCE):
            pass
        assert PASSWORD not in program.output


@contextmanager
def session(program, name="ann", password="secret"):
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", program.port(), PATIENCE)
        client.login(name, password)
        yield client


def refusal(program, name="ann", password="secret"):
    """Return the reply to a login that is refused, and how long it took."""
    began = time.monotonic()
    with pytest.raises(ftplib.Error) as caught, session(program, name, password):
        pass
    return str(caught.value), time.monotonic() - began


def ended(client):
    client.sock.settimeout(10.0)
    return client.file.readline().strip()


def test_a_server_that_stops_and_starts(tmp_path, server, store, url):
    with serving(tmp_path, f"sql:{url}") as program:
        command_line = Path(f"/proc/{program.process.pid}/cmdline").read_bytes()
        assert PASSWORD.encode() not in command_line
        with session(program) as ann, session(program, "ben") as ben:
            data = ann.transfercmd("STOR letter")
            data.sendall(b"first, ")
            server.stop()
            for name, password in (("ann", "secret"), ("ann", "wrong"), ("nobody", "secret")):
                reply, seconds = refusal(program, name, password)
                assert reply == DOWN
                assert seconds < IN_TIME
            program.line("the account store is down")
            with socket.create_connection(
                ("127.0.0.1", int(program.line(r"simple://\S+?:(\d+)/")[1])), PATIENCE
            ) as simple:
                simple.sendall(b"USER ann\nPASS secret\nQUIT\n")
                received = b"".join(iter(lambda: simple.recv(4096), b""))
                assert b"ERR BUSY accounts cannot be checked" in received
            assert ben.voidcmd("NOOP").startswith("200")
            data.sendall(b"second")
            data.close()
            assert ann.voidresp().startswith("226")
            server.start()
            with session(program) as again:
                assert again.size("letter") == 13
            program.line("the account store answers again")
            assert "account store unavailable" in program.output
            store.change("ann", {"disabled": True})
            assert ended(ann) == "421 The account is no longer in force."
            assert refusal(program)[0].startswith("530")


def test_a_server_that_does_not_answer(tmp_path, server, store, url):
    with serving(tmp_path, f"sql:{url}") as program, session(program) as ann:
        server.freeze()
        try:
            for _ in range(2):
                reply, seconds = refusal(program)
                assert reply == DOWN
                assert seconds < IN_TIME
            assert ann.voidcmd("NOOP").startswith("200")
        finally:
            server.thaw()
        wait_for(lambda: can_log_in(program))  # a call that tries the server may be under way
        server.freeze()
        try:
            program.process.terminate()
            assert program.process.wait(PATIENCE) == 0
        finally:
            server.thaw()


def can_log_in(program):
    try:
        with session(program):
            return True
    except ftplib.error_temp:
        return False


def test_logins_under_load_while_the_server_stops_and_starts(tmp_path, server, store, url):
    replies, over = [], threading.Event()

    def log_in(program):
        while not over.is_set():
            began = time.monotonic()
            try:
                with session(program):
                    replies.append(("230", time.monotonic() - began))
            except ftplib.Error as error:
                replies.append((str(error)[:3], time.monotonic() - began))

    with serving(tmp_path, f"sql:{url}") as program:
        program.port()
        threads = [threading.Thread(target=log_in, args=(program,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            wait_for(lambda: replies[-1:] and replies[-1][0] == "230")
            server.stop()
            wait_for(lambda: replies[-1][0] == "421")
            server.start()
        wait_for(lambda: replies[-1][0] == "230")
        over.set()
        for thread in threads:
            thread.join()
        assert {code for code, _ in replies} == {"230", "421"}
        assert max(seconds for _, seconds in replies) < IN_TIME


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


@pytest.mark.parametrize("store_case", ["sqlite", "postgresql"], indirect=True)
def test_changes_by_sql_are_in_force_within_two_seconds(tmp_path, store_case):
    store_case.store.add_many([AccountRecord(name, SECRET, f"/{name}") for name in ("ann", "ben")])
    with (
        serving(tmp_path, store_case.description) as program,
        session(program) as ann,
        session(program, "ben") as ben,
    ):
        began = time.monotonic()
        store_case.execute("UPDATE ftpservice_accounts SET rights = 'read' WHERE name = 'ann'")
        assert ended(ann) == "421 The account has changed; log in again."
        with session(program) as again, pytest.raises(ftplib.error_perm, match="550"):
            again.storbinary("STOR letter", io.BytesIO(b"text"))
        store_case.execute("DELETE FROM ftpservice_accounts WHERE name = 'ben'")
        assert refusal(program, "ben")[0].startswith("530")
        assert ended(ben) == "421 The account is no longer in force."
        assert time.monotonic() - began < 2 * 2.0 + BUSY_SECONDS


@pytest.mark.parametrize("store_case", ["sqlite", "postgresql"], indirect=True)
def test_patterns_and_hours_that_sql_sets_hold_for_sessions_that_run(tmp_path, store_case):
    def set_options(text):
        store_case.execute(f"UPDATE ftpservice_accounts SET options = '{text}'")

    store_case.store.add(AccountRecord("ann", SECRET, "/ann"))
    with serving(tmp_path, store_case.description) as program:
        with session(program) as ann:
            set_options("hide=*.tmp; .git,refuse=*.exe,hours=00:00-24:00 UTC")
            assert ended(ann) == "421 The account has changed; log in again."
        with session(program) as ann:
            with pytest.raises(ftplib.error_perm, match=r"553 Names such as \*.exe"):
                ann.mkd("a.EXE")
            with pytest.raises(ftplib.error_perm, match=r"553 Names such as \*.tmp"):
                ann.mkd("b.tmp")
            never = datetime.now(UTC) + timedelta(days=3)
            set_options(f"hours={never:%a} 00:00-01:00 UTC")
            assert ended(ann) == "421 The account is no longer in force."
        assert refusal(program)[0] == "530 The account may not log in at this time."


def test_an_account_that_was_accepted_before_can_log_in_with_a_cache(tmp_path, server, store, url):
    with serving(tmp_path, f"sql:{url}?cache=10m") as program:
        with session(program):
            pass
        server.stop()
        try:
            with session(program) as ann:
                assert ann.pwd() == "/"
            for name, password in (("ann", "wrong"), ("ben", "secret")):
                assert refusal(program, name, password)[0] == DOWN
        finally:
            server.start()


def test_a_user_of_another_store_can_log_in(tmp_path, server, store, url):
    (tmp_path / "passwd.db").write_text(f"cat:{SECRET}:/cat:full\n")
    stores = (f"sql:{url}", f"passwd:{tmp_path}/passwd.db")
    with serving(tmp_path, *stores) as program:
        for name in ("ann", "cat"):
            with session(program, name):
                pass
        assert refusal(program, "nobody")[0].startswith("530")
        server.stop()
        try:
            with session(program, "cat"):
                pass
            for name, password in (("ann", "secret"), ("cat", "wrong"), ("nobody", "secret")):
                assert refusal(program, name, password)[0] == DOWN
        finally:
            server.start()


def test_the_service_starts_while_the_server_is_down(tmp_path, server, store, url):
    server.stop()
    with serving(tmp_path, f"sql:{url}") as program:
        try:
            program.line("the account store is down")
            assert refusal(program)[0] == DOWN
        finally:
            server.start()
        with session(program):
            pass


def test_an_imported_account_gets_an_argon2id_hash(tmp_path, store_case):
    source = tmp_path / "htpasswd"
    source.write_text("ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    words = ["user", "import", str(source), "--root", "/{user}", "--store", store_case.description]
    done = CliRunner().invoke(ftpservice, words)
    assert done.exit_code == 0, done.output
    with serving(tmp_path, store_case.description) as program:
        with session(program):
            pass
        program.line("1 password hashes of other programs replaced")
        hashed = store_case.store.find("ann").password_hash
        assert hashed.startswith("$argon2id$")
        assert verify(hashed, b"secret")
        with session(program):
            pass


def test_the_check_names_a_database_without_its_schema(tmp_path):
    config = tmp_path / "ftpservice.toml"
    config.write_text(f'auth = ["sql:sqlite:///{tmp_path}/none.db"]\n')
    done = CliRunner().invoke(
        ftpservice, ["config", "check", "--allow-root", "--config", str(config), LISTEN]
    )
    assert "run: ftpservice db upgrade --store sql:sqlite:///" in done.output

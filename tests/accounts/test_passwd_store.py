"""Changes of a ``passwd.db``: atomic, one writer at a time, and of one account only."""

import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
from argon2.low_level import Type, hash_secret

from ftpservice.accounts import passwd_file, passwd_store
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountExists,
    ExistingAccounts,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.groups.inheritance import ValueWord
from ftpservice.accounts.passwd_store import HEADER, PasswordFileStore
from ftpservice.storage.rights import PRESETS

HASH = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()
MANY = 200
FILE = f"""# before
ann:{HASH}:/ann:full

# about ben
ben:{HASH}:/ben:read:max-sessions=2
# after
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


@pytest.fixture
def store(path):
    return PasswordFileStore(str(path))


def record(name, **others):
    return AccountRecord(name, HASH, **others)


def test_it_is_a_store(store):
    assert IAccountStore.providedBy(store)
    assert [found.name for found in store.accounts()] == ["ann", "ben"]
    assert store.find("ben").max_sessions == 2
    assert store.problems() == []


def test_a_new_account_is_appended(store, path):
    store.add(record("cat", root="/cat", expires=date(2027, 1, 31)))
    assert path.read_text() == FILE + f"cat:{HASH}:/cat:full:expires=2027-01-31\n"
    assert store.find("cat").expires == date(2027, 1, 31)


def test_the_first_account_creates_the_file(tmp_path):
    store = PasswordFileStore(str(tmp_path / "new.db"))
    with pytest.raises(StoreUnavailable, match="No such file"):
        store.accounts()
    store.add(record("ann"))
    assert (tmp_path / "new.db").read_text() == f"{HEADER}\nann:{HASH}:/:full\n"
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["new.db"]


def test_a_fifo_or_a_device_in_place_of_the_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "passwd.db")
    for place in (tmp_path / "passwd.db", "/dev/zero", tmp_path):
        store = PasswordFileStore(place)
        with pytest.raises(StoreUnavailable, match="not a regular file"):
            store.listing()
        with pytest.raises(StoreUnavailable):
            store.remove("ann")


def test_a_change_keeps_comments_order_and_other_lines(store, path):
    changed = store.change("ann", {"rights": PRESETS["read"], "disabled": True})
    assert changed == replace(
        record("ann", root="/ann"), rights=PRESETS["read"], disabled=True, line=2
    )
    assert path.read_text() == FILE.replace("/ann:full", "/ann:read:disabled")
    store.change("ben", {"name": "bob", "max_sessions": None})
    assert f"# about ben\nbob:{HASH}:/ben:read\n# after\n" in path.read_text()


def test_line_ends_of_another_system_stay(path):
    path.write_bytes(FILE.replace("\n", "\r\n").encode())
    PasswordFileStore(str(path)).change("ann", {"root": "/x"})
    assert path.read_bytes() == FILE.replace("/ann:full", "/x:full").replace("\n", "\r\n").encode()


def test_removing_leaves_the_rest(store, path):
    store.remove("ann")
    assert path.read_text() == FILE.replace(f"ann:{HASH}:/ann:full\n", "")


def test_removing_takes_every_line_of_the_name(store, path):
    path.write_text(f"{FILE}ann:{HASH}:/other:full\nann:broken\n")
    store.remove("ann")
    assert path.read_text() == FILE.replace(f"ann:{HASH}:/ann:full\n", "")


def test_a_second_line_of_a_name_is_never_put_in_force(store, path):
    path.write_text(f"{FILE}ann:{HASH}:/other:full\n")
    assert "line 7" in store.problems()[0]
    assert "line 2 already" in store.problems()[0]
    assert store.change("ann", {"disabled": True}).root == "/ann"
    store.change("ann", {"name": "anna"})
    assert [found.root for found in store.accounts()] == ["/ann", "/ben"]
    assert "/other" not in path.read_text()


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda store: store.add(record("ann")), AccountExists),
        (lambda store: store.add(record("bad")), AccountExists),
        (lambda store: store.change("ben", {"name": "ann"}), AccountExists),
        (lambda store: store.change("nobody", {"root": "/"}), NoSuchAccount),
        (lambda store: store.change("bad", {"root": "/"}), InvalidAccount),
        (lambda store: store.find("nobody"), NoSuchAccount),
        (lambda store: store.find("bad"), InvalidAccount),
        (lambda store: store.remove("nobody"), NoSuchAccount),
        (lambda store: store.add(record("x:y")), InvalidAccount),
        (lambda store: store.add(record("#x")), InvalidAccount),
        (lambda store: store.add(record("x\ny")), InvalidAccount),
        (lambda store: store.add(AccountRecord("x", "not-a-hash")), InvalidAccount),
        (lambda store: store.change("ann", {"root": "/a/../b"}), InvalidAccount),
        (lambda store: store.change("ann", {"rights": frozenset()}), InvalidAccount),
    ],
)
def test_what_is_refused_changes_nothing(store, path, act, error):
    path.write_text(FILE + "bad:no hash\n")
    before = path.read_bytes(), path.stat().st_ino
    with pytest.raises(error):
        act(store)
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_a_truncated_file_is_not_completed(store, path):
    path.write_text(f"{FILE}cat:{HASH}:/:full")
    with pytest.raises(InvalidAccount, match="no line end"):
        store.add(record("dan"))
    assert path.read_text().endswith("/:full")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_the_mode_stays(store, path, mode):
    path.chmod(mode)
    store.change("ann", {"disabled": True})
    assert path.stat().st_mode & 0o777 == mode
    assert any("other users can read it" in line for line in store.problems()) == (mode == 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(store, path):
    os.chown(path, 1234, 1235)
    store.change("ann", {"disabled": True})
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_a_volume_of_a_kubernetes_secret_is_followed(tmp_path):
    """A link leads to a link to a directory, which is replaced by another one and removed."""
    for version, text in (("1", FILE), ("2", FILE.replace("ben:", "joe:"))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "passwd.db").write_text(text)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "passwd.db").symlink_to("..data/passwd.db")
    lines: list[str] = []
    store = PasswordFileStore(tmp_path / "passwd.db")
    file = passwd_file.PasswordFile(str(tmp_path / "passwd.db"), lines.append)
    file.load()
    assert file.changes.is_known
    assert not file.changes.pending(0)
    assert [found.name for found in store.accounts()] == ["ann", "ben"]
    (tmp_path / "..data_tmp").symlink_to("2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    (tmp_path / "1" / "passwd.db").unlink()
    (tmp_path / "1").rmdir()
    assert [found.name for found in store.accounts()] == ["ann", "joe"]
    assert file.changes.pending(0)
    assert list(file.refresh().accounts) == ["ann", "joe"]
    assert lines == []
    file.changes.close()


def test_a_symbolic_link_stays(path, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(path)
    PasswordFileStore(str(link)).change("ann", {"disabled": True})
    assert link.is_symlink()
    assert "disabled" in path.read_text()


def test_a_full_disk_changes_nothing(store, path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(passwd_store.os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        store.add(record("cat"))
    assert path.read_text() == FILE
    assert os.listdir(path.parent) == ["passwd.db"]


def test_what_is_not_a_file_is_refused(tmp_path):
    for made in ("directory", "fifo"):
        path = tmp_path / made
        path.mkdir() if made == "directory" else os.mkfifo(path)
        with pytest.raises(StoreUnavailable):
            PasswordFileStore(str(path)).change("ann", {"root": "/"})


def test_a_lock_that_is_held_is_waited_for_no_longer_than_that(store, path, monkeypatch):
    monkeypatch.setattr(passwd_store, "LOCK_SECONDS", 0.0)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            store.add(record("cat"))
    store.add(record("cat"))


def test_writers_at_the_same_time_lose_nothing(path):
    names = [f"user{number}" for number in range(40)]

    def write(name):
        store = PasswordFileStore(str(path))
        store.add(record(name))
        store.change(name, {"root": f"/{name}"})
        return store.change("ann", {"max_sessions": 7}) and name

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, names)) == names
    found = {account.name: account for account in PasswordFileStore(str(path)).accounts()}
    assert sorted(found) == sorted(["ann", "ben", *names])
    assert all(found[name].root == f"/{name}" for name in names)
    assert os.listdir(path.parent) == ["passwd.db"]


def test_a_writer_that_is_killed_leaves_the_file_before_or_after(path):
    program = (
        "import os, signal, sys\n"
        "from ftpservice.accounts import passwd_store\n"
        "real, left = os.fsync, [int(sys.argv[2])]\n"
        "def fsync(descriptor):\n"
        "    left[0] -= 1\n"
        "    if not left[0]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(descriptor)\n"
        "passwd_store.os.fsync = fsync\n"
        "passwd_store.PasswordFileStore(sys.argv[1]).change('ann', {'disabled': True})\n"
    )
    for call, changed in ((1, False), (2, True)):
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(call)], check=False, timeout=60
        )
        assert done.returncode == -9
        assert PasswordFileStore(str(path)).find("ann").disabled is changed
    assert PasswordFileStore(str(path)).change("ann", {"disabled": False}).disabled is False


BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def test_many_accounts_are_added_in_one_change(store, path):
    store.add_many([record("cat"), record("dan", root="/dan")])
    assert path.read_text() == FILE + f"cat:{HASH}:/:full\ndan:{HASH}:/dan:full\n"


def test_many_accounts_create_the_file(tmp_path):
    store = PasswordFileStore(str(tmp_path / "new.db"))
    assert store.add_many([record("cat")], dry_run=True) == [record("cat")]
    assert os.listdir(tmp_path) == []
    store.add_many([record("cat"), record("dan")])
    assert (tmp_path / "new.db").read_text() == (
        f"{HEADER}\ncat:{HASH}:/:full\ndan:{HASH}:/:full\n"
    )


def test_names_that_exist_are_all_named_and_nothing_is_added(store, path):
    path.write_text(FILE + "bad:line\n")
    with pytest.raises(AccountExists, match="has 3 of the accounts already") as raised:
        store.add_many([record(name) for name in ("cat", "ben", "bad", "ann")])
    assert raised.value.names == ("ann", "bad", "ben")
    assert path.read_text() == FILE + "bad:line\n"


def test_accounts_that_exist_are_skipped(store, path):
    path.write_text(FILE + "bad:line\n")
    many = [record(name) for name in ("ann", "cat", "bad")]
    assert store.add_many(many, ExistingAccounts.SKIP) == [record("cat")]
    assert path.read_text() == FILE + f"bad:line\ncat:{HASH}:/:full\n"


def test_accounts_that_exist_are_replaced_in_their_place(store, path):
    path.write_text(FILE.replace(f"ann:{HASH}:/ann:full\n", f"ann:{HASH}:/ann:full\r\nbad:line\n"))
    many = [record(name, root="/new") for name in ("ann", "cat", "bad")]
    assert store.add_many(many, ExistingAccounts.REPLACE) == many
    assert path.read_bytes().decode() == (
        FILE.replace(":/ann:full\n", ":/new:full\r\n")
        + f"cat:{HASH}:/new:full\nbad:{HASH}:/new:full\n"
    )


@pytest.mark.parametrize("existing", ExistingAccounts)
def test_a_dry_run_changes_nothing_and_finds_the_same(store, path, existing):
    many = [record("cat"), record("ann", root="/new")]
    if existing is ExistingAccounts.REFUSE:
        with pytest.raises(AccountExists):
            store.add_many(many, existing, dry_run=True)
    else:
        found = store.add_many(many, existing, dry_run=True)
        assert path.read_text() == FILE
        assert found == store.add_many(many, existing)


def test_one_account_that_no_line_can_hold_stops_all(store, path):
    with pytest.raises(InvalidAccount, match="cannot be written as a line"):
        store.add_many([record("cat"), record("dan", root="/\n")])
    with pytest.raises(InvalidAccount, match="same name"):
        store.add_many([record("cat"), record("cat")])
    assert path.read_text() == FILE


def test_a_file_that_the_service_would_not_read_is_not_written(store, path, monkeypatch):
    monkeypatch.setattr(passwd_store, "MAX_FILE_BYTES", len(FILE) + 10)
    with pytest.raises(InvalidAccount, match="would be larger than"):
        store.add(record("cat"))
    assert path.read_text() == FILE


def test_hashes_are_replaced_if_they_are_still_the_same(store, path):
    path.write_text(FILE.replace(HASH, BCRYPT))
    changed = store.replace_hashes(
        {"ann": (BCRYPT, HASH), "ben": (BCRYPT.replace("u2r9", "u2r8"), HASH), "cat": ("x", HASH)}
    )
    assert changed == ["ann"]
    assert path.read_text() == FILE.replace(HASH, BCRYPT).replace(f"ann:{BCRYPT}", f"ann:{HASH}")


def test_hashes_that_are_gone_leave_the_file_alone(store, path):
    before = path.stat()
    assert store.replace_hashes({"ann": ("other", HASH), "cat": (HASH, HASH)}) == []
    after = path.stat()  # reading may change the time of the last access
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def group(name, **others):
    return AccountRecord(f"@{name}", "*", **{"root": "", "rights": frozenset(), **others})


def test_groups_come_before_the_accounts_and_comments_stay(store, path):
    store.add(group("staff", root="/srv/{user}", rights=PRESETS["read"]))
    store.add(group("vip", without=frozenset({"quota_bytes"})))
    store.change("ben", {"groups": ("vip", "staff"), "rights": ValueWord.INHERIT})
    assert path.read_text() == (
        f"# before\n@staff:*:/srv/{{user}}:read\n@vip:*:::quota=none\n"
        f"ann:{HASH}:/ann:full\n\n# about ben\n"
        f"ben:{HASH}:/ben:inherit:group=vip,group=staff,max-sessions=2\n# after\n"
    )
    store.remove("@vip", force=True)
    assert "@vip" not in path.read_text()
    assert f"ben:{HASH}:/ben:inherit:group=vip,group=staff" in path.read_text()


def test_a_group_in_a_new_file_and_before_a_byte_order_mark(tmp_path):
    path = tmp_path / "new.db"
    PasswordFileStore(path).add(group("staff"))
    assert path.read_text() == f"{HEADER}\n@staff:*\n"
    path.write_text(f"\ufeffann:{HASH}:/ann:full\n")
    PasswordFileStore(path).add(group("staff", rights=PRESETS["full"]))
    assert path.read_text() == f"\ufeff@staff:*::full\nann:{HASH}:/ann:full\n"
    assert [found.name for found in PasswordFileStore(path).accounts()] == ["ann"]


def test_a_malformed_group_can_be_removed(store, path):
    path.write_text(f"@staff:*:/x:raed\n{FILE}")
    with pytest.raises(InvalidAccount, match="correct it or remove the line"):
        store.find("@staff")
    store.remove("@staff")
    assert path.read_text() == FILE


def test_a_command_parses_each_line_once(store_with_many, parsed):
    store_with_many.accounts()
    store_with_many.problems()
    assert store_with_many.find("user7").root == "/7"
    assert len(parsed) == MANY
    store_with_many.change("user7", {"root": "/other"})
    assert len(parsed) <= MANY + 3  # the new line, and what is compared with it


@pytest.fixture
def store_with_many(tmp_path):
    lines = "".join(f"user{number}:{HASH}:/{number}:full\n" for number in range(MANY))
    (tmp_path / "many.db").write_text(lines)
    return PasswordFileStore(tmp_path / "many.db")


@pytest.fixture
def parsed(monkeypatch):
    """The lines that were parsed."""
    lines = []
    parse_line = passwd_file.parse_line

    def counted(line, number=0):
        lines.append(line)
        return parse_line(line, number)

    monkeypatch.setattr(passwd_file, "parse_line", counted)
    return lines

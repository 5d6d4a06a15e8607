"""The file is read when it is new or has changed, and kept when it cannot be read."""

import cProfile
import os
from dataclasses import replace
from unittest import mock

import pytest
from argon2.low_level import Type, hash_secret

from ftpservice.accounts import passwd_file
from ftpservice.accounts.passwd_file import PasswordFile, parse
from ftpservice.accounts.passwd_line import format_line, parse_line
from ftpservice.storage.rights import PRESETS

HASH = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()
OLD = 1_600_000_000


class Disk:
    """One file, changed at times that differ by seconds."""

    def __init__(self, path):
        self.path = path
        self.time = OLD
        self.warnings = []
        self.file = PasswordFile(str(path), self.warnings.append)

    def write(self, *lines):
        self.path.write_bytes(
            b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines)
        )
        self.time += 10
        os.utime(self.path, (self.time, self.time))

    def names(self):
        return list(self.file.refresh().accounts)


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "passwd.db")


@pytest.fixture
def reads(monkeypatch):
    """Counts how often a file is parsed."""
    seen = []
    parse = passwd_file.parse
    monkeypatch.setattr(
        passwd_file, "parse", lambda text, before: seen.append(text) or parse(text, before)
    )
    return seen


def test_loading_reads_the_accounts(disk):
    disk.write(f"alice:{HASH}:/:full", f"g\udcffn:{HASH}:/:full")
    assert list(disk.file.load().accounts) == ["alice", "g\udcffn"]
    assert disk.file.lookup("alice").name == "alice"
    assert disk.file.lookup("bob") is None


def test_loading_what_is_not_there_fails(disk):
    with pytest.raises(FileNotFoundError):
        disk.file.load()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_a_plain_file_is_read_and_nothing_hangs(disk, make):
    make(disk.path)
    with pytest.raises(OSError, match=r"directory|regular file"):
        disk.file.load()


def test_a_file_of_absurd_size_is_refused(disk, monkeypatch):
    monkeypatch.setattr(passwd_file, "MAX_FILE_BYTES", 10)
    disk.write(f"alice:{HASH}:/:full")
    with pytest.raises(OSError, match="larger than 10 bytes"):
        disk.file.load()


def test_an_unchanged_file_is_not_read_again(disk, reads):
    disk.write(f"alice:{HASH}:/:full")
    assert disk.names() == disk.names() == ["alice"]
    assert len(reads) == 1


def test_a_changed_file_is_read_again(disk):
    disk.write(f"alice:{HASH}:/:full")
    disk.file.load()
    disk.write(f"bob:{HASH}:/:full", f"carol:{HASH}:/:full")
    assert disk.names() == ["bob", "carol"]


def test_a_file_swapped_by_a_rename_is_read_again(disk, tmp_path):
    disk.write(f"alice:{HASH}:/:full")
    disk.file.load()
    new = tmp_path / "new"
    new.write_text(f"carol:{HASH}:/:full\n")
    os.utime(new, (disk.time, disk.time))
    new.rename(disk.path)
    assert disk.names() == ["carol"]


def test_a_file_changed_just_now_is_looked_at_again(disk, reads):
    disk.path.write_text(f"alice:{HASH}:/:full\n")
    disk.file.load()
    disk.file.refresh()
    assert len(reads) == 2


def test_an_unreadable_file_leaves_the_previous_accounts_and_is_reported_once(disk):
    disk.write(f"alice:{HASH}:/:full")
    disk.file.load()
    disk.path.unlink()
    assert disk.names() == disk.names() == ["alice"]
    [text] = disk.warnings
    assert "No such file" in text
    assert str(disk.path) in text
    disk.path.mkdir()
    assert disk.names() == ["alice"]
    disk.path.rmdir()
    disk.write(f"bob:{HASH}:/:full")
    assert disk.names() == ["bob"]
    disk.path.unlink()
    disk.names()
    assert len(disk.warnings) == 3


def test_malformed_lines_are_reported_once_for_each_change(disk):
    disk.write(f"alice:{HASH}:/:full", "bob:secret", f"carol:{HASH}:/:raed")
    disk.file.load()
    disk.file.refresh()
    assert [text.split(", ", 1)[1].split(":")[0] for text in disk.warnings] == ["line 2", "line 3"]
    disk.write(f"alice:{HASH}:/:full", "bob:secret")
    disk.file.refresh()
    disk.file.refresh()
    assert len(disk.warnings) == 3
    disk.write(f"alice:{HASH}:/:full")
    disk.file.refresh()
    assert len(disk.warnings) == 3


def test_a_file_that_has_become_empty_is_reported(disk):
    disk.write(f"alice:{HASH}:/:full")
    disk.file.load()
    assert disk.warnings == []
    disk.write("# nobody")
    assert disk.names() == []
    disk.file.refresh()
    [line] = disk.warnings
    assert line == f"{disk.path}: no usable account, no login is possible with it"


GROUP_LINES = (
    "@staff:*:/srv/{user}:read:quota=10M,from=10.0.0.0/8",
    "@default:*:::max-sessions=3",
    f"ann:{HASH}::inherit:group=staff",
    f"ben:{HASH}:/ben:full:group=staff,quota=none",
    f"cat:{HASH}:/cat:full",
)


def text_of(*lines):
    return "".join(f"{line}\n" for line in lines)


def test_groups_are_no_accounts_and_give_values_to_accounts():
    contents = parse(text_of(*GROUP_LINES))
    assert list(contents.accounts) == ["ann", "ben", "cat"]
    assert contents.malformed == ()
    assert contents.lookup("@staff") is None
    assert contents.lookup("staff") is None
    ann, ben, cat = contents.accounts.values()
    assert (ann.root, ann.rights, ann.quota_bytes) == ("/srv/ann", PRESETS["read"], 10 << 20)
    assert (ben.root, ben.quota_bytes, str(ben.networks[0])) == ("/ben", None, "10.0.0.0/8")
    assert (ann.max_sessions, ben.max_sessions, cat.max_sessions) == (3, 3, 3)
    assert cat.networks == ()
    for line, entry in zip(GROUP_LINES, contents.entries.values(), strict=True):
        assert parse_line(format_line(entry)) == replace(entry, line=0), line


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("@staff:*:/srv/{user}:raed", "the group 'staff' cannot be used: line 1: unknown right"),
        (f"@staff:{HASH}:/:full", "line 1: '@staff' is a group: expected '*'"),
        ("@staff::/:full", "line 1: '@staff' is a group: expected '*'"),
        ("@staff:*:/:full:group=other", "line 1: a group cannot be in another group"),
        ("@st/aff:*:/:full", "the group 'staff' does not exist"),
        ("#@staff:*:/:full", "the group 'staff' does not exist"),
        ("@staff:*:/srv", "neither the account nor its groups give it rights"),
        ("@staff:*:/../{user}:full", "line 1: the root '/../{user}' contains '..'"),
    ],
)
def test_a_group_that_cannot_be_used_disables_its_accounts_only(line, reason):
    lines = (line, f"ann:{HASH}::inherit:group=staff", f"cat:{HASH}:/cat:full")
    contents = parse(text_of(*lines))
    assert list(contents.accounts) == ["cat"]
    assert reason in contents.unusable("ann")
    assert contents.lookup("ann").disabled
    assert contents.lookup("ann").rights == frozenset()
    assert contents.closed == {"ann"}
    assert any("account 'ann' cannot log in" in problem for problem in contents.problems())


def test_defaults_that_cannot_be_used_disable_all_accounts():
    lines = ("@default:*:::from=10.0.0.0/33", f"cat:{HASH}:/cat:full")
    assert list(parse(text_of(*lines)).accounts) == []
    assert list(parse(text_of(*lines[1:])).accounts) == ["cat"]


def test_a_truncated_file_grants_nothing_that_a_group_refuses():
    whole = text_of(*GROUP_LINES)
    expected = parse(whole).accounts
    for length in range(len(whole)):
        for name, record in parse(whole[:length]).accounts.items():
            assert replace(record, line=0) == replace(expected[name], line=0)


def test_many_accounts_of_a_missing_group_are_one_problem():
    lines = [f"user{number}:{HASH}::inherit:group=staff" for number in range(1000)]
    [problem] = parse(text_of(*lines)).problems()
    assert problem.startswith("accounts 'user0', 'user1', ")
    assert "and 995 more cannot log in: the group 'staff' does not exist" in problem


def test_lines_of_accounts_are_not_parsed_again_when_their_group_changes():
    lines = [f"user{number}:{HASH}::inherit:group=staff" for number in range(1000)]
    before = parse(text_of("@staff:*:/srv/{user}:read", *lines))
    with mock.patch.object(passwd_file, "parse_line", wraps=passwd_file.parse_line) as parse_line:
        after = parse(text_of("@staff:*:/srv/{user}:full", *lines), before)
    assert parse_line.call_count == 1
    assert after.accounts["user77"].rights == PRESETS["full"]
    assert after.accounts["user77"].root == "/srv/user77"
    assert all(after.entries[name] is before.entries[name] for name in after.accounts)


@pytest.mark.parametrize("changed", ["full", "read"])
def test_the_work_for_a_file_grows_with_its_accounts_only(changed):
    def calls(count):
        lines = [f"user{number}:{HASH}::inherit:group=staff" for number in range(count)]
        before = parse(text_of("@staff:*:/srv/{user}:read", *lines))
        text = text_of(f"@staff:*:/srv/{{user}}:{changed}", *lines)
        profile = cProfile.Profile()
        profile.runcall(parse, text, before)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(2000) < 2.1 * calls(1000)

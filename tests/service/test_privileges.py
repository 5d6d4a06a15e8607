"""Which user the service becomes, and when it refuses to be root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from ftpservice.service import privileges as module
from ftpservice.service.assembly import assemble
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.privileges import (
    Privileges,
    ServiceUser,
    owner_for,
    service_user,
)
from ftpservice.service.settings.directories import NO_CHANGE
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from tests.support.unprivileged import NOBODY, as_user, needs_root

ALICE = "--auth=memory:alice:secret"
FREE_UID = 987654
MD5_CRYPT = "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"


@pytest.fixture(autouse=True)
def elsewhere(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory; the modules of Python may be out of reach for other users."""
    monkeypatch.chdir(open_place)
    monkeypatch.setattr(module, "MODULE_FILES", ())
    return open_place


def options(*words: str, **program: Any) -> ServiceOptions:
    found = ServiceOptions()
    auth = [] if any(word.startswith("--auth") for word in words) else [ALICE]
    found.parseOptions([*auth, "--root=memory:", *words])
    found.parent = program  # type: ignore[assignment]
    return found


def privileges(*words: str, **program: Any) -> Privileges:
    return Privileges(options(*words, **program), lambda line: None)


def user_of(*words: str) -> ServiceUser | None:
    return service_user(options(*words))


def test_names_and_numbers_are_the_same_user() -> None:
    entry = pwd.getpwuid(NOBODY)
    name = entry.pw_name
    expected = ServiceUser(NOBODY, entry.pw_gid, name)
    assert user_of(f"--uid={name}") == user_of(f"--uid={NOBODY}") == expected
    assert user_of(f"--uid={name}", "--gid=0") == ServiceUser(NOBODY, 0, name)
    assert user_of(f"--uid={name}", "--gid=daemon") == ServiceUser(NOBODY, 1, name)
    assert user_of(f"--uid={FREE_UID}", "--gid=5") == ServiceUser(FREE_UID, 5, str(FREE_UID))
    assert user_of() is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--uid=no-such-user"], "--uid no-such-user: there is no such user"),
        (["--uid=²"], "no such user"),
        (["--uid=-1"], "no such user"),
        (["--uid=4294967295"], "no such user"),
        ([f"--uid={'9' * 5000}"], "no such user"),
        (["--uid=root", "--gid=no-such-group"], "--gid no-such-group: there is no such group"),
        (["--uid=root", "--gid=4294967295"], "no such group"),
        ([f"--uid={FREE_UID}"], "give --gid as well"),
        (["--gid=0"], "--gid needs --uid"),
    ],
)
def test_an_unknown_user_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(CannotStart, match=message):
        user_of(*words)
    with pytest.raises(CannotStart, match=message):
        Privileges(options(*words), str)


def test_files_belong_to_the_user_that_the_service_becomes() -> None:
    assert owner_for(options()) == NO_CHANGE
    group = pwd.getpwuid(NOBODY).pw_gid
    assert owner_for(options(uid=NOBODY, gid=None)) == (NOBODY, group)
    assert owner_for(options(uid=NOBODY, gid=5)) == (NOBODY, 5)
    assert owner_for(options(f"--uid={FREE_UID}", "--gid=7", uid=None)) == (FREE_UID, 7)
    with pytest.raises(CannotStart, match="not to both"):
        owner_for(options("--uid=nobody", uid=1000))
    with pytest.raises(CannotStart, match="--euid"):
        owner_for(options(uid=NOBODY, euid=1))


@needs_root
def test_root_is_refused_unless_told_or_given_up() -> None:
    for refused in ((), ("--uid=root",), ("--uid=0",)):
        with pytest.raises(CannotStart, match="refusing to serve as root") as caught:
            privileges(*refused).refuse_root()
        assert all(way in caught.value.line for way in ("User=", "--uid USER", "--allow-root"))
    with pytest.raises(CannotStart, match="refusing to serve as root"):
        privileges(uid=0).refuse_root()
    for accepted in (("--allow-root",), ("--uid=nobody",)):
        privileges(*accepted).refuse_root()
        assert not privileges(*accepted).check_drop()
    privileges(uid=NOBODY).refuse_root()


@needs_root
def test_root_that_is_allowed_is_told() -> None:
    said: list[str] = []
    Privileges(options("--allow-root", "--core-dumps=on"), said.append).drop()
    assert len(said) == 1
    assert said[0].startswith("warning: serving as root")


def in_child(steps: Callable[[], None]) -> None:
    """Run steps as root in a process of their own."""
    as_user(steps, 0, os.getgroups())


@needs_root
def test_every_id_and_group_is_given_up(elsewhere: Path) -> None:
    (elsewhere / "secret").touch(mode=0o600)

    def steps() -> None:
        os.setgroups([0, 4, 27])
        privileges(f"--uid={FREE_UID}", "--gid=77").drop()
        assert os.getresuid() == (FREE_UID,) * 3
        assert os.getresgid() == (77,) * 3
        assert os.getgroups() == [77]
        for regain in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
            with pytest.raises(PermissionError):
                regain()
        with pytest.raises(PermissionError):
            (elsewhere / "secret").read_bytes()

    in_child(steps)


@needs_root
def test_a_user_has_the_groups_of_the_group_database() -> None:
    def steps() -> None:
        os.setgroups([0, 4, 27])
        user = pwd.getpwuid(NOBODY)
        privileges(f"--uid={user.pw_name}").drop()
        assert set(os.getgroups()) == set(os.getgrouplist(user.pw_name, user.pw_gid))

    in_child(steps)


@needs_root
@pytest.mark.parametrize("groups", [[], [4, 27]])
def test_a_process_that_is_that_user_keeps_the_groups_it_was_given(groups: list[int]) -> None:
    def steps() -> None:
        os.setgroups(groups)
        os.setresgid(77, 77, 77)
        os.setresuid(*(FREE_UID,) * 3)
        privileges(f"--uid={FREE_UID}", "--gid=77").drop()
        assert os.getgroups() == groups

    in_child(steps)


@needs_root
def test_the_group_of_root_is_refused_where_it_cannot_be_given_up() -> None:
    """As ``setpriv --reuid`` leaves it without ``--clear-groups``."""

    def steps() -> None:
        os.setgroups([0])
        os.setresgid(77, 77, 77)
        os.setresuid(*(FREE_UID,) * 3)
        with pytest.raises(CannotStart, match=f"in the group of root .*{FREE_UID} is not"):
            privileges(f"--uid={FREE_UID}", "--gid=77").drop()

    in_child(steps)


@needs_root
@pytest.mark.parametrize(("groups", "gid"), [([0, 77], 77), ([], 0)])
def test_without_a_user_to_become_the_group_of_root_is_a_warning(
    groups: list[int], gid: int
) -> None:
    def steps() -> None:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(*(FREE_UID,) * 3)
        (line,) = privileges().check_drop()
        assert line.startswith("the process is in the group of root (0)")
        said: list[str] = []
        Privileges(options(), said.append).drop()
        assert said == [f"warning: {line}"]

    in_child(steps)


def test_the_group_of_root_is_given_up_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {"groups": [0, 77]}
    monkeypatch.setattr(os, "getgroups", lambda: found["groups"])
    monkeypatch.setattr(os, "setgroups", lambda groups: found.update(groups=list(groups)))
    for name in ("getresuid", "getresgid"):
        monkeypatch.setattr(os, name, lambda: (77,) * 3)
    for name in ("setresuid", "setresgid"):
        monkeypatch.setattr(os, name, lambda *_three: None)
    monkeypatch.setattr(module, "_capabilities", lambda: 1 << module.CAP_SETGID)
    module._become(ServiceUser(77, 77, "ftp"))
    assert found["groups"] == [77]


@needs_root
def test_a_process_that_can_become_root_again_is_refused() -> None:
    def saved() -> None:
        os.setresuid(NOBODY, NOBODY, 0)
        with pytest.raises(CannotStart, match="can become root again: one of its user ids is 0"):
            privileges().drop()

    in_child(saved)


def test_a_capability_to_become_any_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getresuid", lambda: (NOBODY,) * 3)
    monkeypatch.setattr(module, "_capabilities", lambda: 1 << 7 | 1)
    with pytest.raises(CannotStart, match="can become root again: it has CAP_SETUID"):
        privileges().drop()


@pytest.mark.parametrize("kept", ["setgroups", "setresgid", "setresuid"])
def test_a_change_without_effect_is_noticed(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The ids as the kernel would report them after the calls that have had an effect.
    ids: dict[str, Any] = {"setgroups": [0], "setresgid": (0, 0, 0), "setresuid": (0, 0, 0)}

    def change(name: str, value: Any) -> None:
        if name != kept:
            ids[name] = value

    monkeypatch.setattr(os, "setgroups", lambda groups: change("setgroups", list(groups)))
    monkeypatch.setattr(os, "setresgid", lambda *three: change("setresgid", three))
    monkeypatch.setattr(os, "setresuid", lambda *three: change("setresuid", three))
    monkeypatch.setattr(os, "getgroups", lambda: ids["setgroups"])
    monkeypatch.setattr(os, "getresgid", lambda: ids["setresgid"])
    monkeypatch.setattr(os, "getresuid", lambda: ids["setresuid"])
    with pytest.raises(CannotStart, match="not all ids and groups of the process"):
        privileges("--uid=nobody").drop()


@needs_root
def test_only_root_can_become_another_user() -> None:
    def steps() -> None:
        with pytest.raises(CannotStart, match="only root can become daemon"):
            privileges("--uid=daemon").refuse_root()
        with pytest.raises(CannotStart, match="cannot become daemon: operation not permitted"):
            privileges("--uid=daemon").drop()
        privileges().refuse_root()
        privileges("--uid=nobody").refuse_root()
        privileges("--uid=nobody").drop()
        assert os.getuid() == NOBODY

    as_user(steps)


@needs_root
@pytest.mark.parametrize("words", ["--auth=passwd:closed", "--deny-networks=closed"])
def test_files_that_only_root_can_read_are_refused(elsewhere: Path, words: str) -> None:
    """By the start, and by the check before it."""
    (elsewhere / "closed").touch(mode=0o600)
    given = options(words, "--uid=nobody")

    def steps() -> None:
        with pytest.raises(CannotStart, match="closed cannot be read by nobody"):
            Privileges(given, str).drop()

    in_child(steps)
    with pytest.raises(CannotStart, match="closed cannot be read by nobody"):
        Privileges(given, str).check_drop()
    os.chown("closed", NOBODY, 0)
    assert Privileges(given, str).check_drop() == []


@needs_root
def test_modules_that_only_root_can_read_are_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "closed").mkdir(mode=0o700)
    (elsewhere / "closed" / "os.py").touch()
    monkeypatch.setattr(module, "MODULE_FILES", (str(elsewhere / "closed" / "os.py"),))
    with pytest.raises(CannotStart, match=r"os.py cannot be read by nobody .* install Python"):
        privileges("--uid=nobody").check_drop()


@needs_root
def test_a_key_that_cannot_be_read_again_is_a_warning(elsewhere: Path) -> None:
    (elsewhere / "key.pem").touch(mode=0o600)
    given = options("--certificate=key.pem", "--uid=nobody")

    def steps() -> None:
        said: list[str] = []
        Privileges(given, said.append).drop()
        assert len(said) == 1
        assert said[0].startswith("warning: ")
        assert "a renewed certificate needs a restart" in said[0]

    in_child(steps)
    assert ["a renewed certificate" in line for line in Privileges(given, str).check_drop()] == [
        True
    ]


@needs_root
def test_foreign_hashes_that_cannot_be_replaced_are_a_warning(elsewhere: Path) -> None:
    """To replace one the service must own the file, and write to its directory."""
    passwords = elsewhere / "etc" / "passwd.db"
    passwords.parent.mkdir()
    passwords.write_text(f"ann:{MD5_CRYPT}:/:full:\n")
    passwords.chmod(0o644)
    given = options(f"--auth=passwd:{passwords}", "--uid=nobody")
    (line,) = Privileges(given, str).check_drop()
    assert "passwd.db: password hashes of other programs stay in use: nobody" in line
    os.chown(passwords, NOBODY, NOBODY)
    assert len(Privileges(given, str).check_drop()) == 1
    os.chown(passwords.parent, NOBODY, NOBODY)
    assert Privileges(given, str).check_drop() == []


def test_a_program_that_embeds_the_service_changes_the_user_itself() -> None:
    embedded = options()
    embedded.parent = None
    assemble(embedded, MemoryReactorClock())  # also as root
    embedded = options("--uid=nobody")
    embedded.parent = None
    with pytest.raises(CannotStart, match="the program that embeds the service"):
        assemble(embedded, MemoryReactorClock())


@pytest.mark.parametrize("is_twistd", [True, False])
def test_privileges_are_dropped_between_the_ports_and_the_first_connection(
    is_twistd: bool,
) -> None:
    """Also under ``twist``, which does not call ``privilegedStartService``."""
    reactor = MemoryReactorClock()
    service = assemble(options(), reactor, OperatorConsole(None, None, logged=False))
    order: list[str] = []
    service.drop_privileges = lambda: order.append(f"{len(reactor.tcpServers)} ports")
    service.parts.listeners.startService = lambda: order.append("started")  # type: ignore[method-assign]
    if is_twistd:
        service.privilegedStartService()
    assert order == []
    service.startService()
    assert order == ["1 ports", "started"]

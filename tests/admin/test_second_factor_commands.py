"""The command ``ftpservice user second-factor``."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.second_factors.factor_changes import (
    FactorKind,
    with_code_secret,
    without_used_code,
)
from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
from ftpservice.accounts.stores.removed_accounts import REMOVED_FILE, RemovedAccounts
from ftpservice.admin.cli import ftpservice
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile
from tests.accounts.doubles import SECRET


def run(*words: str) -> Result:
    return CliRunner().invoke(ftpservice, ["user", "second-factor", *words])


def test_an_app_is_added_and_its_codes_are_right(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    added = json.loads(run("add", "ann", "--json", place).output)
    assert pyotp.parse_uri(added["uri"]).secret == added["secret"]
    code, file = pyotp.TOTP(added["secret"]).now(), FactorFile(tmp_path / "second-factors.json")
    assert file.change("ann", without_used_code(code, time.time())) is FactorKind.CODE
    assert run("add", "ann", place).exit_code == 1
    shown = run("show", "ann", place).output
    assert "app for one-time codes, since 20" in shown
    assert "recovery codes: 10 left" in shown
    renewed = json.loads(run("recovery-codes", "ann", "--json", place).output)["recovery"]
    assert not set(renewed) & set(added["recovery"])
    for output in (run("show", "ann", "--json", place).output, run("list", place).output):
        assert "ann" in output
        assert added["secret"] not in output


def test_the_text_has_a_qr_code_the_secret_and_the_recovery_codes(tmp_path: Path) -> None:
    lines = run("add", "ann", f"--data-dir={tmp_path}").output.splitlines()
    assert "▀" in "".join(lines)
    assert sum(line.startswith("secret: ") for line in lines) == 1
    assert "recovery codes, each for one login:" in lines
    assert len(lines[-1]) == 19


def test_factors_are_removed_and_renamed(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    assert run("remove", "ann", place).exit_code == 1
    assert run("recovery-codes", "ann", place).exit_code == 1
    assert run("show", "ann", place).output == "account 'ann' has no second factor\n"
    run("add", "ann", place)
    assert run("rename", "ann", "anna", place).exit_code == 0
    assert [one["user"] for one in json.loads(run("list", "--json", place).output)] == ["anna"]
    assert run("remove", "anna", place).output == ("account 'anna' has no second factor any more\n")
    missing = run("list", f"--data-dir={tmp_path / 'missing'}")
    assert missing.exit_code == 1
    assert len(missing.output.splitlines()) == 1


class Desk:
    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "data"
        self.data.mkdir()
        self.file = FactorFile(self.data / FACTOR_FILE)
        self.store = PasswordFileStore(str(place / "passwd.db"))
        for name in ("ann", "bob"):
            self.store.add(AccountRecord(name, SECRET))
            self.file.change(name, with_code_secret("A" * 32, 1.0))
        self.config = place / "ftpservice.toml"
        self.config.write_text(f'auth = ["passwd:{place}/passwd.db"]\ndata-dir = "{self.data}"\n')

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(ftpservice, ["user", *words])

    @property
    def place_options(self) -> list[list[str]]:
        store = f"--store=passwd:{self.place}/passwd.db"
        return [[f"--config={self.config}"], [store, f"--data-dir={self.data}"]]

    def names(self) -> set[str]:
        return {record.name for record in self.store.listing().accounts}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("option", [0, 1])
def test_they_go_with_the_account_and_a_new_one_has_none(desk: Desk, option: int) -> None:
    done = desk.run("remove", "ann", *desk.place_options[option])
    assert (done.exit_code, done.output) == (0, "account 'ann' removed\n")
    assert (set(desk.file.read()), desk.names()) == ({"bob"}, {"bob"})


@pytest.mark.parametrize("option", [0, 1])
def test_share_links_go_with_the_account_too(desk: Desk, option: int) -> None:
    shares = ShareFile(desk.data / SHARE_FILE, time.time)
    for name in ("ann", "ann", "bob"):
        shares.add(name, "/f", 60.0)
    desk.run("remove", "ann", *desk.place_options[option])
    assert [one.user for one in shares.read().values()] == ["bob"]
    assert desk.run("rename", "bob", "ben", *desk.place_options[option]).exit_code == 0
    assert [one.user for one in shares.read().values()] == ["ben"]


def test_a_name_with_share_links_is_given_to_no_other_account(desk: Desk) -> None:
    ShareFile(desk.data / SHARE_FILE, time.time).add("old", "/f", 60.0)
    done = desk.run("rename", "ann", "old", *desk.place_options[0])
    assert done.exit_code == 1
    assert "ftpservice share remove --user old" in done.output
    assert desk.names() == {"ann", "bob"}


@pytest.mark.parametrize("option", [0, 1])
def test_they_get_the_new_name(desk: Desk, option: int) -> None:
    before = desk.file.find("ann")
    done = desk.run("rename", "ann", "anna", *desk.place_options[option])
    assert (done.exit_code, done.output) == (0, "account 'ann' is now 'anna'\n")
    assert (set(desk.file.read()), desk.file.find("anna")) == ({"anna", "bob"}, before)


@pytest.mark.parametrize("option", [0, 1])
@pytest.mark.parametrize("moved", [(), ("factors",), ("shares",)])
def test_a_repeat_completes_an_interrupted_rename(
    desk: Desk, option: int, moved: tuple[str, ...]
) -> None:
    factors, shares = desk.file.find("ann"), ShareFile(desk.data / SHARE_FILE, time.time)
    shares.add("ann", "/f", 60.0)
    desk.run("rename", "ann", "anna", f"--store=passwd:{desk.place}/passwd.db")
    if "factors" in moved:
        desk.file.rename("ann", "anna")
    if "shares" in moved:
        shares.rename("ann", "anna")
    done = desk.run("rename", "ann", "anna", *desk.place_options[option])
    assert (done.exit_code, done.output) == (
        0,
        "account 'anna' now has the second factors and share links of 'ann'\n",
    )
    assert (set(desk.file.read()), desk.file.find("anna")) == ({"anna", "bob"}, factors)
    assert [one.user for one in shares.read().values()] == ["anna"]
    again = desk.run("rename", "ann", "anna", *desk.place_options[option])
    assert (again.exit_code, "ann" in again.stderr) == (1, True)


def test_an_account_that_was_not_renamed_gets_nothing_of_a_removed_one(desk: Desk) -> None:
    desk.store.add(AccountRecord("cora", SECRET))
    desk.store.remove("ann")
    done = desk.run("rename", "ann", "cora", *desk.place_options[0])
    assert (done.exit_code, "'ann'" in done.stderr) == (1, True)
    assert set(desk.file.read()) == {"ann", "bob"}


def test_without_the_data_directory_the_command_to_run_is_told(desk: Desk) -> None:
    store = f"--store=passwd:{desk.place}/passwd.db"
    renamed = desk.run("rename", "ann", "anna", store)
    assert renamed.exit_code == 0
    assert "ftpservice user rename ann anna --data-dir DIR" in renamed.stderr
    removed = desk.run("remove", "bob", store)
    assert removed.exit_code == 0
    assert "ftpservice user second-factor remove bob --data-dir DIR" in removed.stderr


def test_factors_that_an_earlier_account_has_left_are_not_inherited(desk: Desk) -> None:
    desk.store.remove("bob")
    done = desk.run("rename", "ann", "bob", *desk.place_options[0])
    assert done.exit_code == 1
    assert "remove them first: ftpservice user second-factor remove bob" in done.stderr
    assert (set(desk.file.read()), desk.names()) == ({"ann", "bob"}, {"ann"})


@pytest.mark.parametrize("words", [("remove", "ann"), ("rename", "ann", "anna")])
def test_with_a_damaged_file_nothing_is_changed(desk: Desk, words: tuple[str, ...]) -> None:
    desk.file.path.write_text("x")
    done = desk.run(*words, *desk.place_options[0])
    assert done.exit_code == 1
    assert "is not a file of second factors" in done.stderr
    missing = desk.run(*words, desk.place_options[1][0], f"--data-dir={desk.place}/none")
    assert missing.exit_code == 1
    assert desk.names() == {"ann", "bob"}


@pytest.mark.parametrize("words", [("remove", "ann"), ("rename", "ann", "anna")])
def test_a_service_without_second_factors_needs_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    desk.file.path.unlink()
    done = desk.run(*words, *desk.place_options[0])
    assert (done.exit_code, done.stderr) == (0, "")
    assert not desk.file.path.exists()


def killed_before_the_end_of_a_removal(desk: Desk, name: str) -> None:
    """Remove an account as a command that is killed before it removes what belongs to the name."""
    RemovedAccounts(desk.data / REMOVED_FILE).remove_from(desk.store, name)


@pytest.mark.parametrize("option", [0, 1])
def test_a_repeat_completes_an_interrupted_removal(desk: Desk, option: int) -> None:
    shares = ShareFile(desk.data / SHARE_FILE, time.time)
    shares.add("ann", "/f", 60.0)
    killed_before_the_end_of_a_removal(desk, "ann")
    done = desk.run("remove", "ann", *desk.place_options[option])
    assert (done.exit_code, done.output) == (0, "account 'ann' removed\n")
    assert (set(desk.file.read()), shares.read()) == ({"bob"}, {})
    again = desk.run("remove", "ann", *desk.place_options[option])
    assert (again.exit_code, "ann" in again.stderr) == (1, True)


def test_a_removal_that_did_not_begin_here_takes_nothing(desk: Desk) -> None:
    desk.file.change("ldap-user", with_code_secret("A" * 32, 1.0))
    done = desk.run("remove", "ldap-user", *desk.place_options[0])
    assert (done.exit_code, set(desk.file.read())) == (1, {"ann", "bob", "ldap-user"})


def add(desk: Desk, name: str) -> Result:
    words = ["user", "add", name, "--password-stdin", "--force", *desk.place_options[0]]
    return CliRunner().invoke(ftpservice, words, input="a secret\n")


@pytest.mark.parametrize("left", ["second-factor remove ann", "share remove --user ann"])
def test_a_new_account_gets_nothing_that_a_removed_one_has_left(desk: Desk, left: str) -> None:
    killed_before_the_end_of_a_removal(desk, "ann")
    if left.startswith("share"):
        desk.file.remove("ann")
        ShareFile(desk.data / SHARE_FILE, time.time).add("ann", "/f", 60.0)
    done = add(desk, "ann")
    assert (done.exit_code, left in done.stderr, desk.names()) == (1, True, {"bob"})
    assert desk.run("remove", "ann", *desk.place_options[0]).exit_code == 0
    assert add(desk, "ann").exit_code == 0
    record = desk.store.find("ann")
    assert record.owner.startswith("ann.")  # neither its trash nor its interrupted uploads


def test_a_name_that_was_never_removed_needs_no_owner(desk: Desk) -> None:
    desk.run("remove", "ann", *desk.place_options[0])
    assert add(desk, "cora").exit_code == 0
    assert desk.store.find("cora").owner == ""
    again = add(desk, "cora")
    assert (again.exit_code, "already" in again.stderr) == (1, True)


def test_the_owner_of_a_renamed_account_is_remembered_when_it_is_removed(desk: Desk) -> None:
    desk.run("rename", "ann", "anna", *desk.place_options[0])
    desk.run("remove", "anna", *desk.place_options[0])
    assert add(desk, "ann").exit_code == 0
    assert desk.store.find("ann").owner.startswith("ann.")
    assert add(desk, "anna").exit_code == 0
    assert desk.store.find("anna").owner == ""


def test_an_import_gives_nothing_of_removed_accounts(desk: Desk) -> None:
    for name in ("ann", "bob"):
        desk.run("remove", name, *desk.place_options[0])
    desk.file.change("ann", with_code_secret("A" * 32, 1.0))
    source = PasswordFileStore(str(desk.place / "other.db"))
    for name in ("ann", "bob", "cora"):
        source.add(AccountRecord(name, SECRET))
    words = ("import", f"{desk.place}/other.db", "--keep-going", *desk.place_options[0])
    done = desk.run(*words)
    assert (done.exit_code, "second-factor remove ann" in done.stderr) == (1, True)
    owners = {one.name: one.owner.partition(".")[0] for one in desk.store.listing().accounts}
    assert owners == {"bob": "bob", "cora": ""}


def test_a_data_directory_that_is_not_there_yet_is_no_obstacle_to_a_new_account(desk: Desk) -> None:
    shutil.rmtree(desk.data)
    done = add(desk, "cora")
    assert (done.exit_code, done.stderr) == (0, "")

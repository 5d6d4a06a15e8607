"""Commands that change what the nodes of a cluster have in common."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
from ftpservice.admin.cli import ftpservice
from ftpservice.admin.command_output import UNAVAILABLE_STATUS
from ftpservice.state_files.private_json import STAMP
from ftpservice.web.access.token_file import TOKEN_FILE
from tests.support.cheap_hash import DEMO_HASH
from tests.support.cluster import cluster_connection, cluster_url
from tests.support.postgresql import PostgreSQL

DAMAGE = """UPDATE ftpservice_cluster_document
    SET body = '{"accounts": {"eve": {}}}', version = version + 1"""


class Desk:
    """The directories of nodes, whose service does not run."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.url = place, url

    def config(self, node: str, url: str | None = None) -> str:
        directory = self.place / node
        directory.mkdir(exist_ok=True)
        path = self.place / f"{node}.toml"
        path.write_text(
            f'auth = ["passwd:{directory}/passwd.db"]\ndata-dir = "{directory}"\n'
            f'cluster = "{url or self.url}"\ncluster-node = "{node}"\n'
        )
        return f"--config={path}"

    def tokens(self, node: str) -> list[str]:
        listed = run("token", "list", "--json", f"--data-dir={self.place / node}")
        return [one["name"] for one in json.loads(listed.output)]


def run(*words: str) -> Result:
    return CliRunner().invoke(ftpservice, words)


@pytest.fixture
def desk(postgresql: PostgreSQL, tmp_path: Path) -> Desk:
    return Desk(tmp_path, cluster_url(postgresql))


def test_a_change_with_the_settings_of_a_node_is_one_of_the_cluster(desk: Desk) -> None:
    first, second = desk.config("a"), desk.config("b")
    for name, config in (("one", first), ("two", second)):
        assert run("token", "add", name, "--scope=read", config).exit_code == 0
    assert desk.tokens("b") == ["one", "two"]
    again = run("token", "add", "two", "--scope=read", first)
    assert "there is a token 'two' already" in again.output
    assert run("token", "remove", "one", first).exit_code == 0
    assert desk.tokens("a") == ["two"]


def test_a_copy_is_not_changed_without_the_settings(desk: Desk) -> None:
    run("token", "add", "one", "--scope=read", desk.config("a"))
    place = f"--data-dir={desk.place / 'a'}"
    for words in (("token", "remove", "one"), ("token", "add", "two", "--scope=read")):
        refused = run(*words, place)
        assert refused.exit_code == UNAVAILABLE_STATUS
        assert "the nodes of a cluster have this file in common; give --config" in refused.output
    assert desk.tokens("a") == ["one"]


def test_a_node_that_has_left_its_cluster_changes_its_own_file(desk: Desk) -> None:
    run("token", "add", "one", "--scope=read", desk.config("a"))
    alone = desk.place / "alone.toml"
    alone.write_text(f'data-dir = "{desk.place / "a"}"\n')
    assert run("token", "add", "two", "--scope=read", f"--config={alone}").exit_code == 0
    assert desk.tokens("a") == ["one", "two"]
    assert STAMP not in json.loads((desk.place / "a" / TOKEN_FILE).read_bytes())


def test_a_removed_account_leaves_nothing_at_a_node_that_had_not_heard_of_it(desk: Desk) -> None:
    first, second = desk.config("a"), desk.config("b")
    for node in ("a", "b"):
        PasswordFileStore(str(desk.place / node / "passwd.db")).add(AccountRecord("ann", DEMO_HASH))
    assert run("user", "second-factor", "add", "ann", first).exit_code == 0
    assert run("user", "remove", "ann", second).output == "account 'ann' removed\n"
    assert FactorFile(desk.place / "b" / FACTOR_FILE).read() == {}
    assert "no second factor" in run("user", "second-factor", "remove", "ann", first).output
    assert FactorFile(desk.place / "a" / FACTOR_FILE).read() == {}


def test_a_damaged_file_does_not_become_that_of_the_cluster_nor_the_reverse(desk: Desk) -> None:
    first, second = desk.config("a"), desk.config("b")
    for node in ("a", "b"):
        PasswordFileStore(str(desk.place / node / "passwd.db")).add(AccountRecord("ann", DEMO_HASH))
    damaged = desk.place / "a" / FACTOR_FILE
    damaged.write_text('{"accounts": {"eve": {}}}')
    assert "is not a file of second factors" in run("user", "remove", "ann", first).output
    assert run("user", "second-factor", "add", "bob", second).exit_code == 0
    assert set(FactorFile(desk.place / "b" / FACTOR_FILE).read()) == {"bob"}
    with closing(cluster_connection(desk.url)) as connection:
        connection.call(lambda driver: driver.execute(DAMAGE))
    refused = run("user", "remove", "ann", second)
    assert refused.exit_code == UNAVAILABLE_STATUS
    assert "the document in the database of the cluster is damaged" in refused.output
    assert set(FactorFile(desk.place / "b" / FACTOR_FILE).read()) == {"bob"}


@pytest.mark.parametrize(
    "words",
    [
        ("token", "add", "one", "--scope=read"),
        ("share", "remove", "x"),
        ("user", "second-factor", "add", "ann"),
        ("user", "remove", "ann"),
        ("user", "rename", "ann", "anna"),
    ],
)
def test_without_the_database_a_change_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    away = "postgresql://ftpservice@127.0.0.1:1/none"
    config = desk.config("a", away)
    store = PasswordFileStore(str(desk.place / "a" / "passwd.db"))
    store.add(AccountRecord("ann", DEMO_HASH))
    refused = run(*words, config)
    assert refused.exit_code == UNAVAILABLE_STATUS, refused.output
    assert "the database of the cluster cannot be used" in refused.output
    assert [one.name for one in store.listing().accounts] == ["ann"]
    assert not (desk.place / "a" / TOKEN_FILE).exists()

"""Share links, API tokens and second factors of two nodes of a cluster, over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pyotp
import pytest

from tests.support.cluster_services import Nodes
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program
from tests.support.tus_client import BrowserClient, Reply
from tests.support.worker_service import wait_for

JSON = {"Content-Type": "application/json"}
CONTENT = b"shared by two nodes"
COMMON = ("second-factors.json", "api-tokens.json", "shares.json", "removed-accounts.json")
CHANGES = 50
WITHIN_SECONDS = 1.0


class Served:
    """The nodes n1 and n2, which have the same files."""

    def __init__(self, directory: Path, server: PostgreSQL) -> None:
        self.directory, self.server = directory, server
        self.files = directory / "files"
        self.files.mkdir()
        (self.files / "a.txt").write_bytes(CONTENT)
        self.nodes = Nodes(directory, server)

    def begin(self) -> None:
        self.first, self.second = self.start("n1"), self.start("n2")
        self.second.line("cluster (of|has) 2 nodes")

    def start(self, name: str) -> Program:
        words = ["--http=tcp:0:interface=127.0.0.1", f"--root=local:{self.files}"]
        words += ["--data-dir=var", "--allow-plaintext"]
        started = self.nodes.start(name, *words)
        started.port()
        return started

    def command(self, name: str, *words: str) -> str:
        """Run a command about the files of a node."""
        place = self.directory / name
        options = [f"--config={place / 'ftpservice.toml'}", f"--data-dir={place / 'var'}"]
        return self.nodes.plain(*words, *options)

    def copies(self, node: str) -> dict[str, bytes]:
        paths = [self.directory / node / "var" / name for name in COMMON]
        return {path.name: path.read_bytes() for path in paths if path.exists()}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with PostgreSQL() as server:
        found = Served(tmp_path_factory.mktemp("common"), server)
        with found.nodes:
            found.begin()
            yield found


def port_of(node: Program) -> int:
    return int(node.line(r" http://127\.0\.0\.1:(\d+)/")[1])


def ask(
    node: Program, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> Reply:
    """Send a request without a login."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(node), PATIENCE)
    with closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())


def log_in(node: Program, path: str, cookie: str = "", **members: str) -> Reply:
    """Send a step of a login to the page."""
    headers = {**JSON, "Origin": f"http://127.0.0.1:{port_of(node)}", "Cookie": cookie}
    return ask(node, path, "POST", json.dumps(members), **headers)


def browser(node: Program, user: str = "demo") -> BrowserClient:
    return BrowserClient(port_of(node), user, user)


def post(client: BrowserClient, address: str, **members: object) -> Reply:
    return client.ask("POST", address, json.dumps(members).encode(), JSON)


def share(client: BrowserClient) -> Reply:
    return post(client, "/api/v1/shares", path="/a.txt", expires=3600)


def ids(client: BrowserClient) -> set[str]:
    return {one["id"] for one in json.loads(client.ask("GET", "/api/v1/shares").body)}


def wait_briefly(condition: Callable[[], object]) -> None:
    """Wait until a change is in force at all nodes."""
    wait_for(condition, seconds=WITHIN_SECONDS + BUSY_SECONDS)


def test_a_link_of_one_node_works_at_the_other_until_it_is_removed_there(served: Served) -> None:
    made = json.loads(share(browser(served.first)).body)
    wait_briefly(lambda: ask(served.second, made["url"]).status == 200)
    assert ask(served.second, made["url"]).body == CONTENT
    served.command("n2", "share", "remove", made["id"])
    wait_briefly(lambda: ask(served.first, made["url"]).status == 404)
    wait_briefly(lambda: ask(served.second, made["url"]).status == 404)


def test_a_token_works_at_all_nodes_and_is_refused_within_a_second(served: Served) -> None:
    token = served.command("n1", "token", "add", "monitor", "--scope", "read").strip()

    def accepts(node: Program) -> bool:
        return ask(node, "/api/v1/sessions", Authorization=f"Bearer {token}").status == 200

    wait_briefly(lambda: accepts(served.second))
    assert accepts(served.first)
    served.command("n1", "token", "remove", "monitor")
    wait_briefly(lambda: not accepts(served.second))
    wait_briefly(lambda: not accepts(served.first))


def test_a_second_factor_of_one_node_is_asked_for_at_the_other(served: Served) -> None:
    client, elsewhere = browser(served.first, "other"), browser(served.second, "other")
    begun = json.loads(post(client, "/login/factors/app", password="other").body)
    code = pyotp.TOTP(begun["secret"]).now()
    confirmed = post(client, "/login/factors/app/confirm", code=code)
    assert confirmed.status == 200, confirmed.body
    recovery = json.loads(confirmed.body)["recovery_codes"][0]

    def step(node: Program) -> tuple[Reply, str]:
        """Give the password; return the answer and the cookie of the second step."""
        reply = log_in(node, "/login", user="other", password="other")
        return reply, reply.headers["Set-Cookie"].partition(";")[0]

    def use(node: Program, cookie: str, code: str) -> int:
        return log_in(node, "/login/second-factor", cookie, code=code).status

    wait_briefly(lambda: b"second_factor" in step(served.second)[0].body)
    wait_for(lambda: elsewhere.ask("GET", "/login").status == 401)
    steps = {node: step(node)[1] for node in (served.first, served.second)}
    assert use(served.second, steps[served.second], recovery) == 200
    assert use(served.first, steps[served.first], recovery) == 401  # it was used
    served.command("n2", "user", "second-factor", "remove", "other")
    wait_briefly(lambda: b"csrf" in step(served.first)[0].body)


def test_changes_at_both_nodes_at_once_are_all_made(served: Served) -> None:
    clients = [browser(served.first), browser(served.second)]
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: share(clients[n % 2]), range(2 * CHANGES)))
    assert {reply.status for reply in replies} == {200}
    made = {json.loads(reply.body)["id"] for reply in replies}
    wait_for(lambda: served.copies("n1") == served.copies("n2"))
    for client in clients:
        wait_for(lambda client=client: made <= ids(client))
    served.command("n1", "share", "remove", "--user", "demo")


def test_without_the_database_links_and_tokens_work_and_changes_are_refused(
    served: Served,
) -> None:
    token = served.command("n1", "token", "add", "away", "--scope", "read").strip()
    client = browser(served.first)
    made = json.loads(share(client).body)
    wait_for(lambda: served.copies("n1") == served.copies("n2"))
    served.server.stop()
    try:
        for node in (served.first, served.second):
            node.line("the database of the cluster cannot be used")
            assert ask(node, made["url"]).body == CONTENT
            header = f"Bearer {token}"
            assert ask(node, "/api/v1/sessions", Authorization=header).status == 200
        refused = share(client)
        assert (refused.status, b"cannot be changed at the moment" in refused.body) == (503, True)
        with pytest.raises(AssertionError, match="the database of the cluster cannot be used"):
            served.command("n2", "token", "remove", "away")
    finally:
        served.server.start()
    for node in (served.first, served.second):
        node.line("the cluster answers again")
    wait_for(lambda: share(client).status == 200)
    served.command("n2", "token", "remove", "away")
    wait_for(lambda: served.copies("n1") == served.copies("n2"))
    served.command("n1", "share", "remove", "--user", "demo")


def test_an_account_that_is_removed_at_one_node_leaves_nothing_at_another(served: Served) -> None:
    served.command("n1", "user", "second-factor", "add", "leaver")
    words = [f"--store=passwd:{served.directory / 'n2' / 'accounts'}"]
    served.command("n2", "user", "remove", "leaver", *words)
    wait_for(lambda: served.copies("n1") == served.copies("n2"))
    copies = served.copies("n1")
    assert "leaver" not in json.loads(copies["second-factors.json"])["accounts"]
    assert "leaver" in json.loads(copies["removed-accounts.json"])["owners"]


def test_a_node_that_is_killed_while_it_changes_has_lost_and_broken_nothing(
    served: Served,
) -> None:
    clients = [browser(served.first), browser(served.second)]
    made: list[str] = []

    def add(number: int) -> None:
        with suppress(OSError, http.client.HTTPException):
            reply = share(clients[number % 2])
            if reply.status == 200:
                made.append(json.loads(reply.body)["id"])
            if number == CHANGES:
                served.second.process.kill()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(2 * CHANGES)))
    served.second.process.wait(PATIENCE)
    assert share(clients[0]).status == 200
    served.second = served.start("n2")
    wait_for(lambda: served.copies("n1") == served.copies("n2"))
    wait_for(lambda: set(made) <= ids(clients[0]))
    assert len(made) >= CHANGES

"""What administrators follow over the nodes of a cluster: events, transcripts, reports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_services import Nodes
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import Program
from tests.support.worker_service import login, wait_for


@pytest.fixture(scope="module")
def nodes(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes"), postgresql) as running:
        yield running


def make(port: int, user: str, *names: str) -> None:
    """Create and remove directories, in a session of its own."""
    with closing(login(port, user)) as client:
        for name in names:
            client.mkd(name)
            client.rmd(name)
        client.quit()


def events(followed: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in followed.lines if line.startswith("{")]


def created(followed: Program, node: str) -> list[str]:
    """Return the directories whose creation was shown, with their node."""
    return [
        one["path"]
        for one in events(followed)
        if (one["node"], one.get("action")) == (node, "mkdir")
    ]


def test_the_events_of_all_nodes_are_followed_also_over_a_restart_of_one(nodes: Nodes) -> None:
    first, second = nodes.start("n1"), nodes.start("n2")
    second.line("cluster (of|has) 2 nodes")
    with nodes.command("n1", "log", "-f", "--json") as followed:
        followed.line("n2 is followed")
        wanted = {"n1": list[str](), "n2": list[str]()}
        ports = {"n1": first.port(), "n2": second.port()}
        for turn in range(3):
            for name, port in ports.items():
                names = [f"{name}-{turn}-{number}" for number in range(20)]
                make(port, "demo", *names)
                wanted[name] += [f"/{one}" for one in names]
            if turn == 1:
                client = login(ports["n2"], "other")
                assert second.stopped() == 0
                client.close()
                second = nodes.start("n2")
                ports["n2"] = second.port()
        make(ports["n1"], "other", "last")
        followed.line('"/last"')
        make(ports["n2"], "other", "last2")
        followed.line('"/last2"')
        for name, paths in wanted.items():
            shown = [one for one in created(followed, name) if "last" not in one]
            assert shown == paths, (name, followed.output[-3000:])
        ended = [one for one in events(followed) if one["event"] == "session_closed"]
        assert ("n2", "other") in [(one["node"], one["user"]) for one in ended]
        times = [one["at"] for one in events(followed)]
        late = [early for early, then in pairwise(times) if early > then + 1]
        assert late == []
    assert first.stopped() == second.stopped() == 0
    assert "Traceback" not in first.output + second.output


def test_lines_have_their_node_and_one_node_can_be_followed(nodes: Nodes) -> None:
    third, fourth = nodes.start("n3"), nodes.start("n4")
    fourth.line("cluster (of|has) 2 nodes")
    with (
        nodes.command("n3", "log", "-f", "--user", "other") as text,
        nodes.command("n3", "log", "-f", "--json", "--node", "n4") as of_one,
        nodes.command("n3", "log", "-f", "--node", "n9") as unknown,
    ):
        unknown.line("there is no node 'n9' in the cluster")
        assert unknown.ended() == 1
        for one in (text, of_one):
            one.line("n4 is followed")
        make(third.port(), "other", "here")
        make(fourth.port(), "demo", "there")
        make(fourth.port(), "other", "there-too")
        text.line(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d n3: .*other@.* /here")
        text.line(r" n4: .*other@.* /there-too")
        assert "demo@" not in text.output
        of_one.line('"/there-too"')
        assert {one["node"] for one in events(of_one)} == {"n4"}
    assert third.stopped() == fourth.stopped() == 0


def holds(file: Path, text: str, times: int = 1) -> bool:
    """Return whether a file has a text so often."""
    return file.exists() and file.read_text().count(text) >= times


@pytest.mark.parametrize("words", [(), ("--workers=2",)], ids=["alone", "workers"])
def test_an_account_is_traced_at_all_nodes_and_a_session_wherever_it_is(
    nodes: Nodes, tmp_path: Path, words: tuple[str, ...]
) -> None:
    here_, there_ = (f"{name}w" if words else name for name in ("n5", "n6"))
    fifth, sixth = nodes.start(here_), nodes.start(there_, *words)
    sixth.line("cluster (of|has) 2 nodes")
    with (
        closing(login(sixth.port(), "other")) as there,
        nodes.command(here_, "trace", "other", "-o", str(tmp_path / "all")) as of_user,
    ):
        of_user.line("the trace has begun")
        wait_for(lambda: holds(tmp_path / "all", '"joined"'))
        (listed,) = json.loads(nodes.run(here_, "who", "--json", "--node", there_))
        number = listed["session"]
        with (
            nodes.command(
                here_, "trace", f"{there_}:{number}", "-o", str(tmp_path / "number")
            ) as one,
            nodes.command(here_, "trace", listed["id"], "-o", str(tmp_path / "id")) as other,
            closing(login(fifth.port(), "other")) as here,
        ):
            for begun in (one, other):
                begun.line("the trace has begun")
            for name in ("number", "id"):
                wait_for(lambda name=name: holds(tmp_path / name, '"joined"'))
            here.mkd("of-n5")
            there.mkd("of-n6")
            here.quit()
            there.quit()
            assert one.ended() == other.ended() == 0, one.output + other.output
        wait_for(lambda: holds(tmp_path / "all", '"closed"', 2))
    records = [json.loads(line) for line in (tmp_path / "all").read_text().splitlines()]
    found = {(one["node"], one["command"]) for one in records if "command" in one}
    assert {(here_, "MKD of-n5"), (here_, "QUIT")} <= found
    assert {(there_, "MKD of-n6"), (there_, "QUIT")} <= found
    assert [one["trace"] for one in records if "trace" in one] == [1]
    for name in ("number", "id"):
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert [one["node"] for one in lines] == [there_] * len(lines)
        assert [one["command"] for one in lines if "command" in one] == ["MKD of-n6", "QUIT"]
    sixth.line(r"did: trace other")
    with nodes.command(here_, "trace", f"{there_}:4711") as missing:
        missing.line("there is no session 4711")
        assert missing.ended() == 1
    assert fifth.stopped() == sixth.stopped() == 0
    assert "Traceback" not in fifth.output + sixth.output


def test_reports_tell_the_nodes_apart(nodes: Nodes) -> None:
    seventh, eighth = nodes.start("n7"), nodes.start("n8")
    make(seventh.port(), "demo", "x")
    make(eighth.port(), "other", "y")
    wait_for(lambda: len(re.findall(r"(?m)^ +n[78] ", nodes.run("n7", "report"))) == 2)
    assert seventh.stopped() == eighth.stopped() == 0
    words = ("--config", str(nodes.directory / "n7" / "ftpservice.toml"))
    text = nodes.plain("report", *words)
    assert "Nodes:" in text
    for name in ("n7", "n8"):
        assert re.search(rf"(?m)^ +{name} +[1-9]", text)
    totals = {
        one["node"]: one for one in json.loads(nodes.plain("report", "--json", *words))["nodes"]
    }
    assert totals["n7"]["logins"] == totals["n8"]["logins"] == 1
    table = nodes.plain("report", "--csv", *words)
    assert re.search(r"(?m)^nodes,node,sessions,", table)
    assert re.search(r"(?m)^,n8,1,1,", table)
    assert ">n8</td>" in nodes.plain("report", "--html", "-", *words)

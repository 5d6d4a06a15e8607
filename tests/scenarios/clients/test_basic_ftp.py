"""npm's ``basic-ftp``, driven by small programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import (
    NODE_MODULES,
    CompletedProgram,
    ipv6,
    node_module,
    program,
    run,
)
from tests.support.interrupted_transfers import interrupt_upload, interrupting_network
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, assert_same, content, make_files, make_tree

FIXTURES = (started, starting)
AROUND = """
const ftp = require("basic-ftp"), fs = require("fs"), assert = require("assert");
const [host, port] = process.argv.slice(1);
(async () => {
  const client = new ftp.Client(20000);
  const fails = async (code, work) => assert.rejects(work, (error) => error.code === code);
  await client.access({ host, port: Number(port), user: "demo", password: "demo" });
  %s
  client.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""


def node(
    served: RunningService, tmp_path: Path, text: str, host: str = "127.0.0.1"
) -> CompletedProgram:
    """Run a program after a login, in the directory ``here``."""
    node_module("basic-ftp")
    (tmp_path / "here").mkdir(exist_ok=True)
    return run(
        [program("node"), "-e", AROUND % text, host, str(served.port)],
        tmp_path,
        cwd=tmp_path / "here",
        environment={"NODE_PATH": str(NODE_MODULES)},
    )


BOTH_WAYS = """
await client.ensureDir("/a/b c"); assert.equal(await client.pwd(), "/a/b c");
await client.uploadFromDir("tree"); await client.downloadToDir("back", "/a/b c");
"""


@in_thread
def test_trees_both_ways(served: RunningService, tmp_path: Path) -> None:
    """A directory is uploaded and downloaded."""
    tree = make_tree(tmp_path / "here" / "tree")
    node(served, tmp_path, BOTH_WAYS)
    assert_same(tree, served.root / "a" / "b c")
    assert_same(tree, tmp_path / "here" / "back")


@ipv6
@in_thread
def test_ipv6(server: Callable[..., RunningService], tmp_path: Path) -> None:
    """The same over IPv6."""
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    tree = make_tree(tmp_path / "here" / "tree")
    node(served, tmp_path, BOTH_WAYS, "::1")
    assert_same(tree, served.root / "a" / "b c")


@in_thread
@pytest.mark.parametrize("command", ["MLSD", "LIST -a", "LIST"])
def test_listings(served: RunningService, tmp_path: Path, command: str) -> None:
    """LIST and MLSD; the times of MLSD are exact."""
    make_files(served.root, {"d/a b": 1234567, "d/-rf": 0, "d/na\u00efve 100%": 5, "d/sub/x": 1})
    ended = node(
        served,
        tmp_path,
        """
        client.availableListCommands = ["COMMAND"];
        for (const { name, size, isDirectory, modifiedAt } of await client.list("d"))
          console.log([name, size, isDirectory, Number(modifiedAt) / 1000].join("|"));
        """.replace("COMMAND", command),
    )
    rows = {row[0]: row[1:] for row in (line.split("|") for line in ended.stdout.splitlines())}
    assert rows.keys() - {".", ".."} == {"a b", "-rf", "na\u00efve 100%", "sub"}
    assert [rows["a b"][0], rows["a b"][1], rows["sub"][1]] == ["1234567", "false", "true"]
    if command == "MLSD":
        assert rows["a b"][2] == str(MTIME)


@in_thread
def test_changes(served: RunningService, tmp_path: Path) -> None:
    """Names, sizes, times, deletion, and refusals."""
    make_files(served.root, {"one": 1234, "two": 99, "d e/x/y/z": 7, "keep/me": 8})
    ended = node(
        served,
        tmp_path,
        """
        console.log(await client.size("one"), Number(await client.lastMod("one")) / 1000);
        console.log([...(await client.features()).keys()].sort().join(" "));
        await client.rename("one", "two"); await client.remove("two");
        await client.removeDir("d e"); await client.cd("keep"); await client.clearWorkingDir();
        await client.cdup(); await client.ensureDir("1 2/3"); await client.cd("/");
        await fails(550, client.remove("missing")); await client.remove("missing", true);
        await fails(550, client.size("missing")); await fails(550, client.cd("missing"));
        await fails(550, client.downloadTo("down", "missing")); await fails(550, client.list("no"));
        await fails(550, client.uploadFrom(process.execPath, "missing/x"));
        await client.removeEmptyDir("keep"); await client.send("NOOP");
        """,
    )
    facts, features, *_ = ended.stdout.splitlines()
    assert facts == f"1234 {MTIME}"
    assert {"MLST", "SIZE", "MDTM", "UTF8", "REST", "EPSV"} <= {*features.split()}
    assert sorted(str(path.relative_to(served.root)) for path in served.root.rglob("*")) == [
        "1 2",
        "1 2/3",
    ]


@in_thread
def test_resume(served: RunningService, tmp_path: Path) -> None:
    """Downloads at an offset; uploads resumed after an interruption, and appended."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = make_files(tmp_path / "here", {"whole": 2_000_000, "tail": 5000})
    (here / "data").write_bytes(expected[:1_200_000])
    whole, tail = (here / "whole").read_bytes(), (here / "tail").read_bytes()
    interrupt_upload(served, "whole", whole[:700_000])
    node(
        served,
        tmp_path,
        """
        await client.downloadTo("data", "data", fs.statSync("data").size);
        await client.appendFrom("whole", "whole", { localStart: await client.size("whole") });
        await client.appendFrom("tail", "data"); await client.appendFrom("tail", "tail");
        await client.appendFrom("whole", "part", { localStart: 1000, localEndInclusive: 1999 });
        """,
    )
    assert (here / "data").read_bytes() == expected
    assert (served.root / "whole").read_bytes() == whole
    assert (served.root / "data").read_bytes() == expected + tail
    assert (served.root / "tail").read_bytes() == tail
    assert (served.root / "part").read_bytes() == whole[1000:2000]


@in_thread
def test_an_interrupted_upload_is_resumed(served: RunningService, tmp_path: Path) -> None:
    """The connections are reset during the upload; the program logs in again and sends the rest."""
    here = make_files(tmp_path / "here", {"data": 50_000_000})
    with interrupting_network(served):
        node(
            served,
            tmp_path,
            """
            const slow = fs.createReadStream("data", { end: 39_999_999 });
            await assert.rejects(client.uploadFrom(slow, "data"));
            await client.access({ host, port: Number(port), user: "demo", password: "demo" });
            await assert.rejects(client.downloadTo("none", "data"));
            const size = await client.size("data"); assert(size > 0, size);
            await client.appendFrom("data", "data", { localStart: size });
            """,
        )
    assert (served.root / "data").read_bytes() == (here / "data").read_bytes()
    assert os.listdir(served.root) == ["data"]

"""Two processes that write over one name at the same time lose none of its versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COUNT = 200


def test_no_version_is_lost(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.support.trash_writer", str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*words, word, str(COUNT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for word in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    written = set[str]()
    for writer in writers:
        output, _ = writer.communicate()
        assert writer.returncode == 0
        written |= set(output.split())
    assert len(written) == 2 * COUNT
    kept = {one.read_text() for one in tmp_path.rglob("*") if one.is_file()}
    assert written - kept == set()

"""The file of the API tokens."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftpservice.web.access.random_secrets import hash_of
from ftpservice.web.access.scopes import Scope, parse_scopes
from ftpservice.web.access.token_file import TokenFile, TokenFileError

READ = frozenset((Scope.READ,))


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "api-tokens.json", lambda: 1000.0)


def test_a_token_is_known_by_its_hash_only(file: TokenFile) -> None:
    secret = file.add("grafana", READ, 60.0)
    assert secret not in file.path.read_text()
    found = file.read()[hash_of(secret)]
    assert (found.name, found.scopes, found.created, found.expires) == ("grafana", READ, 1000, 1060)
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
    file.remove("grafana")
    assert file.read() == {}


def test_what_is_wrong_is_told(file: TokenFile) -> None:
    file.add("a", READ, None)
    with pytest.raises(TokenFileError, match="already"):
        file.add("a", READ, None)
    with pytest.raises(TokenFileError, match="no token 'b'"):
        file.remove("b")
    for name in ("", "x" * 101, "a\nb"):
        with pytest.raises(TokenFileError, match="printable"):
            file.add(name, READ, None)
    with pytest.raises(ValueError, match="'root' is not one of read, steer, accounts"):
        parse_scopes(["root"])
    for content in ("[", "[]", '{"tokens": [{}]}', '{"tokens": [1]}'):
        file.path.write_text(content)
        with pytest.raises(TokenFileError, match="not a file of tokens"):
            file.read()


def test_a_link_is_not_followed(file: TokenFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    os.symlink(other, file.path.with_suffix(".lock"))
    with pytest.raises(TokenFileError):
        file.add("a", READ, None)
    assert other.read_text() == "kept"


def test_changes_at_the_same_time_follow_one_another(file: TokenFile) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: file.add(str(number), READ, None), range(40)))
    assert {token.name for token in file.read().values()} == set(map(str, range(40)))

"""The shape of the code: imports point down and make no circle, files and folders are small."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PACKAGES = {"ftpservice": TOP / "ftpservice", "ftpservice_client": TOP / "client/ftpservice_client"}
RANKS: dict[str, list[set[str]]] = {
    "ftpservice": [
        {"wire", "events", "linux"},
        {"concurrency"},
        {"net"},
        {"net.tls"},
        {"stream"},
        {"storage"},
        {"backends.local.paths"},
        {"backends.local.metadata"},
        {"backends.local.partials"},
        {"backends.local.files"},
        {"backends.local", "backends.memory", "backends.ftp_shell"},
        {"backends"},
        {"accounts"},
        {"data"},
        {"session"},
        {"commands"},
        {"control", "simple"},
        {"activity"},
        {"testing.contract"},
        {"testing"},
        {"service.settings"},
        {"service.log"},
        {"service"},
        {"api"},
    ],
    "ftpservice_client": [
        {"errors", "trust"},
        {"results", "arguments"},
        {"interfaces", "settings", "urls"},
        {"listings"},
        {"local"},
        {"link"},
        {"ftp", "simple"},
        {"sessions"},
        {"transfers"},
        {"mirror"},
        {"api"},
        {"blocking"},
        {"ftpservice_client"},
        {"testing"},
        {"console.terminal"},
        {"console.session"},
        {"console.shell"},
        {"console.shell.commands"},
        {"console.oneshot"},
        {"console"},
    ],
}
"""The rooms of a package from the lowest rank up; a room imports from those of lower rank.

A file that stands in the package's own folder is a room by itself.
"""
STANDARD_LIBRARY_ONLY = {"wire", "events", "linux"}
CLIENT_MAY_USE = {"wire", "concurrency", "net", "net.tls", "stream", "linux"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_CLASS_METHODS = 15
MAX_FOLDER_FILES = 20
"""Without ``__init__.py``."""

SERVER = sorted(PACKAGES["ftpservice"].rglob("*.py"))
CLIENT = sorted(PACKAGES["ftpservice_client"].rglob("*.py"))
ALL = [*SERVER, *CLIENT, *sorted((TOP / "twisted").rglob("*.py"))]


def named(path: Path) -> str:
    return str(path.relative_to(TOP))


def module_of(path: Path) -> str:
    """Return the dotted name of a file; that of its folder for ``__init__.py``."""
    package = "ftpservice_client" if path.is_relative_to(PACKAGES["ftpservice_client"]) else ""
    top = TOP / "client" if package else TOP
    parts = list(path.relative_to(top).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in [*SERVER, *CLIENT]}


def room_of(module: str) -> tuple[str, str]:
    """Return the package of a module, and the room that it stands in."""
    package, _, rest = module.partition(".")
    rooms = {wait_for_room for rank in RANKS[package] for wait_for_room in rank}
    within = rest or package
    if module == "ftpservice":
        return package, module
    while within not in rooms:
        assert "." in within, f"{module} stands in no room"
        within = within.rpartition(".")[0]
    return package, within


def rank(package: str, room: str) -> int:
    return next(number for number, rooms in enumerate(RANKS[package]) if room in rooms)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it: ``a.b.c`` for ``from a.b import c`` too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def own_imports(path: Path) -> frozenset[str]:
    """The modules of both packages that a file imports, without itself."""
    found = set()
    for name in imports(path):
        module = name if name in MODULES else name.rpartition(".")[0]
        if module in MODULES and MODULES[module] != path and not name.endswith("__version__"):
            found.add(module)
    return frozenset(found)


def circles(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the nodes from which a way leads back to themselves."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        pending = list(graph[start])
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending.extend(graph.get(node, ()))
        reached[start] = seen
    return sorted(node for node, seen in reached.items() if node in seen)


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    last = function.end_lineno or function.lineno
    lines = last - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


@pytest.mark.parametrize("path", [*SERVER, *CLIENT], ids=named)
def test_a_room_imports_only_from_those_of_lower_rank(path: Path) -> None:
    module = module_of(path)
    if module == "ftpservice":
        assert not own_imports(path)
        return
    package, room = room_of(module)
    climbing = []
    for other in own_imports(path):
        its_package, its_room = room_of(other)
        if its_package != package:
            if package == "ftpservice":
                climbing.append(other)
        elif its_room != room and rank(package, its_room) >= rank(package, room):
            climbing.append(other)
    assert climbing == [], f"{named(path)} climbs to {climbing}"


def test_no_file_is_in_a_circle_of_imports() -> None:
    graph = {module: own_imports(path) for module, path in MODULES.items()}
    assert circles(graph) == []


def folder_of(module: str) -> str:
    """Return the folder of a module; a file in the package's own folder counts as one itself."""
    return module.rpartition(".")[0] if module.count(".") > 1 else module


def test_no_folder_is_in_a_circle_of_imports() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            continue
        for other in own_imports(path):
            if MODULES[other].name != "__init__.py" and folder_of(other) != folder_of(module):
                graph[folder_of(module)].add(folder_of(other))
    assert circles(graph) == []


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in SERVER
        if path.parts[len(TOP.parts) + 1].removesuffix(".py") in STANDARD_LIBRARY_ONLY
    ],
    ids=named,
)
def test_grammar_and_events_need_the_standard_library_only(path: Path) -> None:
    outside = {"twisted", "zope", "argon2"}
    assert [name for name in imports(path) if name.split(".")[0] in outside] == []


@pytest.mark.parametrize(
    "path", [path for path in CLIENT if path.parent.name != "testing"], ids=named
)
def test_the_client_uses_grammar_transports_and_streams_of_the_server_alone(path: Path) -> None:
    used = {room_of(name)[1] for name in own_imports(path) if name.startswith("ftpservice.")}
    assert used <= CLIENT_MAY_USE


def test_the_reactor_is_imported_in_one_place() -> None:
    importing = [named(path) for path in ALL if "twisted.internet.reactor" in set(imports(path))]
    assert importing == [
        "ftpservice/service/tap.py",
        "client/ftpservice_client/blocking.py",  # runs it in a thread, for scripts
    ]


def test_the_plugin_file_imports_nothing_heavy() -> None:
    plugin = TOP / "twisted" / "plugins" / "ftpservice_plugin.py"
    assert {name for name in imports(plugin) if name.startswith("ftpservice")} == {
        "ftpservice.accounts.strcred.PasswdFactory"
    }


DOORS = {
    "ftpservice.storage",
    "ftpservice.testing",
    "ftpservice_client",
    "ftpservice_client.testing",
}
"""The packages whose ``__init__.py`` re-exports what others import."""


@pytest.mark.parametrize("path", [path for path in ALL if path.name == "__init__.py"], ids=named)
def test_a_package_file_holds_a_docstring_and_its_names(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module)
    allowed = {"__all__", "__version__"} if path.parent.name == "ftpservice" else {"__all__"}
    for node in module.body[1:]:
        if module_of(path) in DOORS and isinstance(node, ast.ImportFrom):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        assert {getattr(target, "id", None) for target in targets} <= allowed, ast.unparse(node)


@pytest.mark.parametrize("path", ALL, ids=named)
def test_a_file_says_what_it_offers(path: Path) -> None:
    module = tree(path)
    targets: list[ast.expr] = []
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    assert ast.get_docstring(module), "no docstring"
    assert "__all__" in {target.id for target in targets if isinstance(target, ast.Name)}


@pytest.mark.parametrize("path", ALL, ids=named)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(path)):
        if isinstance(node, kinds):
            lines = body_lines(node)
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} is {lines} lines"


def test_folders_stay_small() -> None:
    counts: dict[Path, int] = defaultdict(int)
    for path in [*SERVER, *CLIENT]:
        counts[path.parent] += path.name != "__init__.py"
    assert {named(folder): n for folder, n in counts.items() if n > MAX_FOLDER_FILES} == {}


def test_every_folder_is_packaged() -> None:
    config = (TOP / "setup.cfg").read_text(encoding="utf-8")
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert f"\n    {module}\n" in config, f"{module} is missing from setup.cfg"


SCENARIOS = {"scenarios", "project", "support"}
"""Folders of tests without a module of their own: behaviour, the project, what tests share."""


def mirrored(path: Path) -> Path:
    """Return the module that a test file is about."""
    *folders, name = path.relative_to(TOP / "tests").parts
    package = PACKAGES["ftpservice"]
    if folders and folders[0] == "client":
        package, folders = PACKAGES["ftpservice_client"], folders[1:]
    return package.joinpath(*folders, name.removeprefix("test_"))


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted((TOP / "tests").rglob("test_*.py"))
        if path.relative_to(TOP / "tests").parts[0] not in SCENARIOS
    ],
    ids=named,
)
def test_a_test_file_mirrors_a_module(path: Path) -> None:
    assert mirrored(path).exists(), f"no {named(mirrored(path))}"

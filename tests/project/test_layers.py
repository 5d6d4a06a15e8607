"""The structure of the code: ranks of rooms, no circular imports, limits of size, unique names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # nothing of the service runs here
TOP = Path(__file__).parents[2]
PACKAGES = {"ftpservice": TOP / "ftpservice", "ftpservice_client": TOP / "client/ftpservice_client"}
RANKS: dict[str, list[set[str]]] = {
    "ftpservice": [
        {"wire", "events", "linux", "state_files"},
        {"concurrency"},
        {"net"},
        {"net.tls"},
        {"stream"},
        {"storage"},
        {"backends.local.paths"},
        {"backends.local.metadata"},
        {"backends.local.partials"},
        {"backends.local.trash"},
        {"backends.local.files"},
        {"backends.s3.api"},
        {"backends.s3.tree"},
        {"backends.s3.trash"},
        {"backends.s3.uploads"},
        {
            "backends.local",
            "backends.memory",
            "backends.ftp_shell",
            "backends.mounts",
            "backends.s3",
        },
        {"backends.gates"},
        {"backends"},
        {
            "accounts.defence",
            "accounts.foreign_hashes",
            "accounts.groups",
            "accounts.second_factors",
        },
        {"accounts"},
        {"accounts.stores"},
        {"accounts.external"},
        {"accounts.sql"},
        {"data"},
        {"session"},
        {"session.shared"},
        {"commands"},
        {"control", "simple"},
        {"activity.logs"},
        {"activity.metrics"},
        {"activity.hooks"},
        {"activity"},
        {"activity.trace"},
        {"activity.otel"},
        {"activity.journal"},
        {"activity.reports"},
        {"activity.live"},
        {"retention"},
        {"workers"},
        {"cluster"},
        {"cluster.quotas", "cluster.feeds", "cluster.documents"},
        {"testing.contract"},
        {"testing"},
        {"web.http"},
        {"web.access"},
        {"web.api"},
        {"web.files"},
        {"web.uploads"},
        {"web.shares"},
        {"web.page"},
        {"web"},
        {"service.settings"},
        {"service.log"},
        {"service.acme"},
        {"service.certificates"},
        {"service.sessions"},
        {"service.activity", "service.cluster"},
        {"service"},
        {"workers.process"},
        {"admin.replay"},
        {"admin.accounts", "admin.activity", "admin.imports", "admin.checks"},
        {"admin"},
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
"""The rooms of each package, lowest rank first; a room imports from rooms of lower rank only.

A file in the top folder of a package is a room of its own.
"""
STANDARD_LIBRARY_ONLY = {"wire", "events", "linux"}
CLIENT_MAY_USE = {"wire", "concurrency", "net", "net.tls", "stream", "linux"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_CLASS_METHODS = 15
MAX_FOLDER_FILES = 20
"""Without ``__init__.py``."""
MAX_SAME_FILE_NAMES = 2
"""How many rooms of a package may have a file of the same name."""

LARGE_CLASSES = {
    "Client": 22,
    "ClientSession": 20,
    "ConsoleSession": 16,
    "ControlConnection": 19,
    "ControlProtocol": 28,
    "FTPFactory": 22,
    "MemoryTransport": 24,
    "PassiveChannel": 16,
    "ProtocolInterpreter": 21,
    "RestrictedStorage": 17,
    "SessionContext": 17,
    "SimpleClientSession": 21,
    "SimpleServerSession": 22,
    "StreamConnection": 19,
    "TLSTransport": 22,
}
"""Classes with more than `MAX_CLASS_METHODS` methods, and their number. This list only shrinks."""

SHARED_FILE_NAMES = {
    "ftpservice": {"errors", "listing", "storage"},
    "ftpservice_client": {"connection", "files", "progress", "session"},
}
"""File names in more than `MAX_SAME_FILE_NAMES` rooms: the same part of several backends or
protocols. This list only shrinks."""

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
    """Return the package and the room of a module."""
    package, _, rest = module.partition(".")
    rooms = {room for same_rank in RANKS[package] for room in same_rank}
    within = rest or package
    if module == "ftpservice":
        return package, module
    while within not in rooms:
        assert "." in within, f"{module} is in no room"
        within = within.rpartition(".")[0]
    return package, within


def rank(package: str, room: str) -> int:
    return next(number for number, rooms in enumerate(RANKS[package]) if room in rooms)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports, also within functions; ``a.b.c`` for ``from a.b import c``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def own_imports(path: Path) -> frozenset[str]:
    """Return the modules of both packages that a file imports, without itself."""
    found = set()
    for name in imports(path):
        module = name if name in MODULES else name.rpartition(".")[0]
        if module in MODULES and MODULES[module] != path and not name.endswith("__version__"):
            found.add(module)
    return frozenset(found)


def nodes_in_cycles(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the nodes that can be reached from themselves."""
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
    """Return the lines from ``def`` to the end, without the docstring."""
    last = function.end_lineno or function.lineno
    lines = last - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def imports_upward(path: Path) -> list[str]:
    """Return the modules of its own or a higher rank that a file imports from other rooms."""
    module = module_of(path)
    if module == "ftpservice":
        return sorted(own_imports(path))
    package, room = room_of(module)
    upward = []
    for other in sorted(own_imports(path)):
        its_package, its_room = room_of(other)
        if its_package != package:
            if package == "ftpservice":
                upward.append(other)
        elif its_room != room and rank(package, its_room) >= rank(package, room):
            upward.append(other)
    return upward


# One test for all files, not one for each: thousands of tests take longer than what they check.
def test_a_room_imports_only_from_those_of_lower_rank() -> None:
    upward = {named(path): imports_upward(path) for path in [*SERVER, *CLIENT]}
    assert {name: found for name, found in upward.items() if found} == {}


def test_no_file_is_in_a_cycle_of_imports() -> None:
    graph = {module: own_imports(path) for module, path in MODULES.items()}
    assert nodes_in_cycles(graph) == []


def folder_of(module: str) -> str:
    """Return the folder of a module; a file in the top folder of a package counts as a folder."""
    return module.rpartition(".")[0] if module.count(".") > 1 else module


def test_no_folder_is_in_a_cycle_of_imports() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            continue
        for other in own_imports(path):
            if MODULES[other].name != "__init__.py" and folder_of(other) != folder_of(module):
                graph[folder_of(module)].add(folder_of(other))
    assert nodes_in_cycles(graph) == []


def test_wire_events_and_linux_import_only_the_standard_library() -> None:
    lowest = [
        path
        for path in SERVER
        if path.parts[len(TOP.parts) + 1].removesuffix(".py") in STANDARD_LIBRARY_ONLY
    ]
    assert lowest
    outside = {"twisted", "zope", "argon2"}
    for path in lowest:
        found = [name for name in imports(path) if name.split(".")[0] in outside]
        assert found == [], named(path)


def test_the_client_imports_only_shared_rooms_of_the_service() -> None:
    for path in CLIENT:
        if path.parent.name != "testing":
            names = [name for name in own_imports(path) if name.startswith("ftpservice.")]
            assert {room_of(name)[1] for name in names} <= CLIENT_MAY_USE, named(path)


def test_only_the_twistd_plugin_imports_the_reactor() -> None:
    importing = [named(path) for path in ALL if "twisted.internet.reactor" in set(imports(path))]
    assert importing == [
        "ftpservice/concurrency/reactor_thread.py",  # runs it in a thread, for scripts and tests
        "ftpservice/service/tap.py",
        "ftpservice/workers/process/__main__.py",
    ]


def test_the_plugin_file_imports_nothing_heavy() -> None:
    plugin = TOP / "twisted" / "plugins" / "ftpservice_plugin.py"
    assert {name for name in imports(plugin) if name.startswith("ftpservice")} == {
        "ftpservice.accounts.external.factories.HTTPFactory",
        "ftpservice.accounts.external.factories.LDAPFactory",
        "ftpservice.accounts.external.factories.PAMFactory",
        "ftpservice.accounts.sql.sql_plugin.SQLFactory",
        "ftpservice.accounts.strcred.PasswdFactory",
    }


DOORS = {
    "ftpservice.events",
    "ftpservice.storage",
    "ftpservice.testing",
    "ftpservice_client",
    "ftpservice_client.testing",
}
"""The packages whose ``__init__.py`` re-exports public names."""


def statements_beyond_all(path: Path) -> list[str]:
    """Return what an ``__init__.py`` has beside its docstring and ``__all__``."""
    allowed = {"__all__", "__version__"} if path.parent.name == "ftpservice" else {"__all__"}
    found = []
    for node in tree(path).body[1:]:
        if module_of(path) in DOORS and isinstance(node, ast.ImportFrom):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not {getattr(target, "id", None) for target in targets} <= allowed:
            found.append(ast.unparse(node))
    return found


def test_an_init_file_has_only_a_docstring_and_all() -> None:
    for path in ALL:
        if path.name == "__init__.py":
            assert ast.get_docstring(tree(path)), named(path)
            assert statements_beyond_all(path) == [], named(path)


def test_every_file_has_a_docstring_and_all() -> None:
    for path in ALL:
        module = tree(path)
        targets: list[ast.expr] = []
        for node in module.body:
            if isinstance(node, ast.Assign):
                targets += node.targets
            elif isinstance(node, ast.AnnAssign):
                targets.append(node.target)
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        assert ast.get_docstring(module), f"{named(path)} has no docstring"
        assert "__all__" in names, f"{named(path)} has no __all__"


def test_files_and_functions_are_within_their_limits() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for path in ALL:
        length = len(path.read_text(encoding="utf-8").splitlines())
        assert length <= MAX_FILE_LINES, f"{named(path)} is {length} lines"
        for node in ast.walk(tree(path)):
            if isinstance(node, kinds):
                lines = body_lines(node)
                assert lines <= MAX_FUNCTION_LINES, f"{named(path)}: {node.name} is {lines} lines"


def test_folders_are_within_their_limit() -> None:
    counts: dict[Path, int] = defaultdict(int)
    for path in [*SERVER, *CLIENT]:
        counts[path.parent] += path.name != "__init__.py"
    assert {named(folder): n for folder, n in counts.items() if n > MAX_FOLDER_FILES} == {}


def class_definitions() -> Iterator[tuple[Path, ast.ClassDef]]:
    """Yield every class of both packages, nested ones too."""
    for path in [*SERVER, *CLIENT]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                yield path, node


def test_classes_are_within_their_limit() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    counts = {
        node.name: sum(isinstance(member, kinds) for member in node.body)
        for _, node in class_definitions()
    }
    too_large = {
        name: count
        for name, count in counts.items()
        if count > LARGE_CLASSES.get(name, MAX_CLASS_METHODS)
    }
    assert too_large == {}
    needless = {name for name in LARGE_CLASSES if counts.get(name, 0) <= MAX_CLASS_METHODS}
    assert needless == set(), "take these out of LARGE_CLASSES"


def test_no_two_classes_have_the_same_name() -> None:
    """Across both packages."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, node in class_definitions():
        places[node.name].append(named(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_two_files_of_a_room_have_the_same_name() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            places[":".join(room_of(module)), path.stem].append(module)
    assert {key: found for key, found in places.items() if len(found) > 1} == {}


def test_few_rooms_have_files_of_the_same_name() -> None:
    for package, shared in SHARED_FILE_NAMES.items():
        counts: dict[str, int] = defaultdict(int)
        for module, path in MODULES.items():
            if module.startswith(f"{package}.") and path.name != "__init__.py":
                counts[path.stem] += 1
        assert {name for name, n in counts.items() if n > MAX_SAME_FILE_NAMES} <= shared


def test_every_folder_is_packaged() -> None:
    config = (TOP / "setup.cfg").read_text(encoding="utf-8")
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert f"\n    {module}\n" in config, f"{module} is missing from setup.cfg"


SCENARIOS = {"scenarios", "project", "support"}
"""Folders of tests that mirror no module: behaviour, the project, shared helpers."""


def mirrored(path: Path) -> Path:
    """Return the module that a test file tests."""
    *folders, name = path.relative_to(TOP / "tests").parts
    package = PACKAGES["ftpservice"]
    if folders and folders[0] == "client":
        package, folders = PACKAGES["ftpservice_client"], folders[1:]
    return package.joinpath(*folders, name.removeprefix("test_"))


def test_a_test_file_mirrors_a_module() -> None:
    paths = [
        path
        for path in (TOP / "tests").rglob("test_*.py")
        if path.relative_to(TOP / "tests").parts[0] not in SCENARIOS
    ]
    assert paths
    assert [named(path) for path in paths if not mirrored(path).exists()] == []

"""The shape of the code: layers only point down, files and functions stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
LAYERS = [
    {"wire"},
    {"events"},
    {"tls"},
    {"flow"},
    {"storage"},
    {"accounts"},
    {"data"},
    {"session"},
    {"commands"},
    {"control", "simple"},
    {"activity"},
    {"service"},
    {"admin"},
]
STANDARD_LIBRARY_ONLY = {"wire", "events"}
CLIENT_MAY_USE = {"wire", "tls", "flow"}
LONGEST_FILE = 300
LONGEST_FUNCTION = 25

SERVER = sorted((TOP / "ftpservice").rglob("*.py"))
CLIENT = sorted((TOP / "client").rglob("*.py"))
FOR_TESTS = TOP / "client" / "ftpservice_client" / "testing.py"
"""Has a server of ours in memory, for the tests of others."""
ALL = [*SERVER, *CLIENT, *sorted((TOP / "twisted").rglob("*.py"))]


def named(path: Path) -> str:
    return str(path.relative_to(TOP))


def home(path: Path) -> str:
    """The layer's name: of a folder, or of a file that is one by itself."""
    return path.relative_to(TOP / "ftpservice").parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


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


def own(path: Path) -> Iterator[str]:
    """The names behind ``ftpservice.`` that a file imports; of the package itself, none."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "ftpservice" and len(parts) > 1 and parts[1] != "__version__":
            yield parts[1]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    last = function.end_lineno or function.lineno
    lines = last - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


@pytest.mark.parametrize("path", SERVER, ids=named)
def test_a_layer_imports_only_from_those_below_it(path: Path) -> None:
    if path == TOP / "ftpservice" / "__init__.py":
        assert list(own(path)) == []
        return
    place = home(path)
    climbing = [
        name
        for name in own(path)
        if layer(name) > layer(place) or (layer(name) == layer(place) and name != place)
    ]
    assert climbing == [], f"{named(path)} climbs to {climbing}"


@pytest.mark.parametrize(
    "path", [path for path in SERVER if home(path) in STANDARD_LIBRARY_ONLY], ids=named
)
def test_grammar_and_events_need_the_standard_library_only(path: Path) -> None:
    outside = {"twisted", "zope", "argon2"}
    assert [name for name in imports(path) if name.split(".")[0] in outside] == []


@pytest.mark.parametrize("path", [path for path in CLIENT if path != FOR_TESTS], ids=named)
def test_the_client_stands_on_grammar_tls_and_movers_alone(path: Path) -> None:
    assert set(own(path)) <= CLIENT_MAY_USE


def test_the_reactor_is_imported_in_one_place() -> None:
    importing = [named(path) for path in ALL if "twisted.internet.reactor" in set(imports(path))]
    assert importing == ["ftpservice/service/tap.py"]


def test_the_plugin_file_imports_nothing_heavy() -> None:
    plugin = TOP / "twisted" / "plugins" / "ftpservice_plugin.py"
    assert {name for name in imports(plugin) if name.startswith("ftpservice")} == {
        "ftpservice.accounts.strcred.PasswdFactory"
    }


@pytest.mark.parametrize("path", [path for path in ALL if path.name == "__init__.py"], ids=named)
def test_a_package_file_holds_a_docstring_and_its_names(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module)
    allowed = {"__all__", "__version__"} if path.parent.name == "ftpservice" else {"__all__"}
    is_public = path.parent.name == "ftpservice_client"  # what callers import is all there
    for node in module.body[1:]:
        if is_public and isinstance(node, ast.ImportFrom):
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
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(path)):
        if isinstance(node, kinds):
            assert body_lines(node) <= LONGEST_FUNCTION, f"{node.name} is {body_lines(node)} lines"


def test_every_folder_is_a_layer_and_is_packaged() -> None:
    config = (TOP / "setup.cfg").read_text(encoding="utf-8")
    folders = [path.parent for path in SERVER if path.name == "__init__.py"]
    for folder in folders:
        name = ".".join(folder.relative_to(TOP).parts)
        assert f"\n    {name}\n" in config, f"{name} is missing from setup.cfg"

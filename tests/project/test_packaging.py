"""The wheel and the sdist: what is in them, and that what is installed from them works."""

from __future__ import annotations

import ftplib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, Program

PLUGIN = "twisted/plugins/ftpservice_plugin.py"
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
"""What the command ``twistd`` does; a dependency by path brings no commands."""
BUILD_SECONDS = 120


def run(*command: str | Path, directory: Path) -> str:
    """Run a command to its end, without this checkout in its path; return what it said."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def clean_environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}


def unwanted(_directory: str, names: list[str]) -> set[str]:
    """What a checkout has beside its sources."""
    made = {"build", "dist", "var", "__pycache__", "node_modules", "dropin.cache"}
    hidden = {name for name in names if name.startswith(".")} - {".ci"}
    return hidden | made | {name for name in names if name.endswith(".egg-info")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist of a copy of this tree, and the wheel of that sdist."""
    top = tmp_path_factory.mktemp("packaging")
    shutil.copytree(CHECKOUT, top / "tree", ignore=unwanted, symlinks=True)
    (top / "tree" / "README.md").touch()
    (top / "tree" / "twisted" / "plugins" / "dropin.cache").write_bytes(b"stale")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", top / "dist", ".")
    run(*build, directory=top / "tree")
    return top / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh environment that has the wheel, and our dependencies by path."""
    top = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", top / "env", directory=top)
    pip = (sys.executable, "-m", "pip", "--python", top / "env" / "bin" / "python")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, directory=top)
    (site,) = (top / "env" / "lib").glob("python3.*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return top / "env" / "bin"


def source_files() -> set[str]:
    """What a wheel must hold, as named in it."""
    server = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "ftpservice").rglob("*.py")}
    page = (CHECKOUT / "ftpservice/web/page/assets").iterdir()
    server |= {str(path.relative_to(CHECKOUT)) for path in page}
    client_top = CHECKOUT / "client"
    client = {str(path.relative_to(client_top)) for path in client_top.rglob("*.py")}
    return server | client | {"ftpservice/py.typed", "ftpservice_client/py.typed", PLUGIN}


def test_the_wheel_holds_the_packages_the_plugin_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = next(name for name in archive.namelist() if name.endswith("points.txt"))
        commands = archive.read(entry_points).decode()
    assert names == source_files()
    assert commands.splitlines() == [
        "[console_scripts]",
        "ftpservice = ftpservice.admin.cli:main",
        "ftpservice-client = ftpservice_client.console.cli:main",
    ]


def test_the_sdist_holds_the_sources_tests_and_docs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {
        "passwd.db",
        "Makefile",
        "LICENSE",
        "docs/settings.md",
        "tests/project/test_packaging.py",
    }
    assert expected | {PLUGIN, "client/ftpservice_client/py.typed", ".ci/run"} <= names
    assert not [name for name in names if name.endswith((".pyc", "dropin.cache"))]


def test_the_installed_commands_show_their_options(installed: Path, tmp_path: Path) -> None:
    twistd = (installed / "python", "-c", TWISTD, "ftpservice")
    for command in (twistd, (installed / "ftpservice", "serve")):
        assert "--passive-ports" in run(*command, "--help", directory=tmp_path)


def test_the_installed_service_takes_a_file_and_gives_it_back(
    installed: Path, tmp_path: Path
) -> None:
    shutil.copy(CHECKOUT / "passwd.db", tmp_path)
    words = ["--nodaemon", "ftpservice", "--allow-root", "--listen=tcp:0:interface=127.0.0.1"]
    command = [installed / "python", "-c", TWISTD, *words]
    content = os.urandom(100_000)
    with Program(command, tmp_path, clean_environment()) as running:
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", running.port(), timeout=20)
            client.login("demo", "demo")
            client.storbinary("STOR there", io.BytesIO(content))
            parts: list[bytes] = []
            client.retrbinary("RETR there", parts.append)
        assert b"".join(parts) == content
        assert running.stopped() == 0

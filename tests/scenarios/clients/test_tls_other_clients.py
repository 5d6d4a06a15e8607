"""rclone, wget, PHP, npm's basic-ftp and Java's Commons Net with TLS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import NODE_MODULES, java_library, node_module, program, run
from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.trees import assert_same, make_files, make_tree, small_files

FIXTURES = (started, starting)
kinds = pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
HERE = Path(__file__).parent


@pytest.fixture
def secured(server: Callable[..., RunningService]) -> RunningService:
    """A service with explicit and implicit TLS that refuses plaintext data."""
    return server("--implicit", f"tcp:0:interface={LOCAL}", "--tls-data", "required")


def port(served: RunningService, implicit: bool) -> str:
    return str(served.ports[-1] if implicit else served.port)


@kinds
@in_thread
def test_rclone(secured: RunningService, tmp_path: Path, implicit: bool) -> None:
    tree, binary = make_tree(tmp_path / "tree"), program("rclone")
    small_files(tree / "small", 100)
    obscured = run([binary, "obscure", "demo"], tmp_path).stdout.strip()
    settings = {"TYPE": "ftp", "HOST": LOCAL, "PORT": port(secured, implicit), "USER": "demo"}
    settings |= {"PASS": obscured, "NO_CHECK_CERTIFICATE": "true", "SHUT_TIMEOUT": "5s"}
    settings |= {"TLS": str(implicit).lower(), "EXPLICIT_TLS": str(not implicit).lower()}
    environment = {f"RCLONE_CONFIG_R_{key}": value for key, value in settings.items()}
    environment |= {"RCLONE_CONFIG": str(tmp_path / "rclone.conf"), "RCLONE_RETRIES": "1"}
    for words in (("copy", tree, "r:"), ("copy", "r:", tmp_path / "back")):
        run([binary, *words], tmp_path, environment=environment)
    assert_same(tree, secured.root, times=True)
    assert_same(tree, tmp_path / "back", times=True)


@kinds
@in_thread
def test_wget(secured: RunningService, tmp_path: Path, implicit: bool) -> None:
    if "--ftps-implicit" not in run([program("wget"), "--help"], tmp_path).stdout:
        pytest.skip("wget was built without TLS")
    make_tree(secured.root, without=["%41%2F"])
    back = tmp_path / "back"
    back.mkdir()
    words = ["--no-config", "-nv", "-T", "20", "-t", "1", "--user", "demo", "--password", "demo"]
    words += ["--no-check-certificate", "-r", "-nH", "-l", "inf"]
    words += ["--restrict-file-names=nocontrol", *(["--ftps-implicit"] if implicit else [])]
    run([program("wget"), *words, f"ftps://{LOCAL}:{port(secured, implicit)}/"], tmp_path, cwd=back)
    assert_same(secured.root, back)


PHP = """
set_error_handler(function ($number, $text) { throw new ErrorException($text); });
$ftp = ftp_ssl_connect('127.0.0.1', (int) $argv[1], 20);
if (!ftp_login($ftp, 'demo', 'demo')) throw new Exception('login');
ftp_pasv($ftp, (bool) $argv[2]);
$names = array_filter(scandir('.'), 'is_file');
foreach ($names as $name) ftp_put($ftp, $name, $name, FTP_BINARY);
if (array_diff($names, ftp_nlist($ftp, ''))) throw new Exception('list');
mkdir('../back'); chdir('../back');
foreach ($names as $name) ftp_get($ftp, $name, $name, FTP_BINARY);
ftp_close($ftp);
"""


@pytest.mark.parametrize("passive", [1, 0], ids=["passive", "active"])
@in_thread
def test_php(secured: RunningService, tmp_path: Path, passive: int) -> None:
    here = make_files(tmp_path / "here", {"one": 1, "many": 3 << 20, "none": 0, "a b": 70_000})
    argv = [program("php"), "-d", "display_errors=stderr", "-r", PHP, "--"]
    run([*argv, str(secured.port), str(passive)], tmp_path, cwd=here)
    assert_same(here, secured.root)
    assert_same(here, tmp_path / "back")


CUT_BY_BASIC_FTP = ("empty", "empty too")
"""It does not wait for the end of the handshake (it takes a known cipher for that), and Node ends a
connection that has nothing to send then without TLS's own end: such an upload is a cut."""
NODE = """
const ftp = require("basic-ftp"), [host, port, implicit] = process.argv.slice(1);
(async () => {
  const client = new ftp.Client(20000);
  await client.access({
    host, port: Number(port), user: "demo", password: "demo",
    secure: implicit ? "implicit" : true, secureOptions: { rejectUnauthorized: false },
  });
  await client.ensureDir("/a/b c");
  await client.uploadFromDir("tree");
  await client.downloadToDir("back", "/a/b c");
  await client.list("/a");
  client.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""


@kinds
@in_thread
def test_basic_ftp(secured: RunningService, tmp_path: Path, implicit: bool) -> None:
    node_module("basic-ftp")
    tree = make_tree(tmp_path / "here" / "tree", without=CUT_BY_BASIC_FTP)
    words = [LOCAL, port(secured, implicit), *(["implicit"] if implicit else [])]
    run(
        [program("node"), "-e", NODE, *words],
        tmp_path,
        cwd=tmp_path / "here",
        environment={"NODE_PATH": str(NODE_MODULES)},
    )
    assert_same(tree, secured.root / "a" / "b c")
    assert_same(tree, tmp_path / "here" / "back")


@kinds
@in_thread
def test_commons_net(secured: RunningService, tmp_path: Path, implicit: bool) -> None:
    library = java_library("commons-net")
    here = make_files(tmp_path / "here", {"one": 1, "many": 3 << 20, "none": 0, "a b": 70_000})
    back = tmp_path / "back"
    back.mkdir()
    run([program("javac"), "-d", tmp_path, "-cp", library, HERE / "CommonsNetTLS.java"], tmp_path)
    settings = ("-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8")
    place = (LOCAL, port(secured, implicit), str(implicit).lower())
    run(
        [program("java"), *settings, "-cp", f"{tmp_path}:{library}", "CommonsNetTLS", *place, back],
        tmp_path,
        cwd=here,
    )
    assert_same(here, secured.root)
    assert_same(here, back)

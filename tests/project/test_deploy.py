"""The files of ``docs/deploy`` are what their programs accept, and fit together."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ftpservice.service.settings.settings import SETTINGS
from ftpservice.service.settings.toml_file import parse_toml
from ftpservice.wire.units import parse_duration
from tests.support.client_programs import program
from tests.support.docs_pages import BLOCK
from tests.support.nat_network import INSIDE, SERVER, NATNetwork, missing
from tests.support.prometheus import PROMTOOL
from tests.support.service_process import CHECKOUT, Program

DEPLOY = CHECKOUT / "docs" / "deploy"
NAMES = set(SETTINGS)
WORDS_OF_COMMANDS = {"config", "socket", "wait"}
DAY = 24 * 3600
OPTIONAL = re.compile(r"^( *)#(-|  )", re.MULTILINE)
"""The beginning of a line of YAML that is to be uncommented."""


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def documents(name: str) -> list[dict[str, object]]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text_of(name)))


def shown(language: str, words: str) -> str:
    """Return the block of the page in a language that has these words."""
    blocks = [found[3] for found in BLOCK.finditer(text_of("README.md")) if found[2] == language]
    (text,) = (text for text in blocks if words in text)
    return text


def checked(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that has to succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_haproxy_accepts_its_configuration() -> None:
    words = [program("haproxy"), "-c", "-f", str(DEPLOY / "haproxy.cfg")]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_haproxy_accepts_what_is_added_for_http(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs/fleet.md").read_text()
    (block,) = (found[3] for found in BLOCK.finditer(page) if "frontend page" in found[3])
    path = tmp_path / "haproxy.cfg"
    path.write_text(f"{text_of('haproxy.cfg')}\n{block}")
    assert "WARNING" not in checked(program("haproxy"), "-c", "-f", path).stderr


@pytest.mark.parametrize(
    ("module", "words", "name"),
    [
        ("kubernetes_validate", ["--strict"], "kubernetes.yaml"),
        ("kubernetes_validate", ["--strict"], "kubernetes-tables.yaml"),
        ("check_jsonschema", ["--builtin-schema", "vendor.compose-spec"], "compose.yaml"),
    ],
)
def test_the_schema_of_its_format_accepts_it(
    module: str, words: list[str], name: str, tmp_path: Path
) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    checked(sys.executable, "-m", module, *words, DEPLOY / name)
    whole = tmp_path / name
    whole.write_text(OPTIONAL.sub(r"\1\2", text_of(name)))
    checked(sys.executable, "-m", module, *words, whole)


@pytest.mark.parametrize(
    "name", ["compose.yaml", "kubernetes.yaml", "kubernetes-tables.yaml", "Dockerfile"]
)
def test_options_exist(name: str) -> None:
    given = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text_of(name)))
    unknown = given - NAMES - WORDS_OF_COMMANDS
    if name == "Dockerfile":  # those of pip and useradd, too
        unknown -= {"no-cache-dir", "constraint", "uid", "home-dir", "help"}
    if name == "compose.yaml":
        unknown.discard("build")
    assert not unknown


def test_a_node_fits_to_haproxy() -> None:
    settings = parse_toml(text_of("node.toml"))
    assert set(settings) <= NAMES
    haproxy = text_of("haproxy.cfg")
    assert f":{settings['listen'][0].rpartition(':')[2]} port" in haproxy
    assert f"port {settings['http'][0].rpartition(':')[2]}" in haproxy
    for node, port in (("one", 50001), ("two", 50002), ("three", 50003)):
        backend = haproxy[haproxy.index(f"backend data_{node}") :]
        assert re.search(rf"server {node} \S+:{port} send-proxy-v2 tcp-ut", backend)
        assert f"frontend data_{node}\n    bind :{port}" in haproxy
    assert settings["passive-port"] == 50001


def option(arguments: list[str], name: str) -> str:
    return next(one.partition("=")[2] for one in arguments if one.startswith(f"--{name}="))


def test_transfers_have_their_time_at_a_stop() -> None:
    (compose,) = documents("compose.yaml")
    service = compose["services"]["ftp"]  # type: ignore[index]
    stop = parse_duration(service["stop_grace_period"])
    assert stop > float(option(service["command"], "grace"))
    (node,) = (one for one in documents("kubernetes.yaml") if one["kind"] == "StatefulSet")
    pod = node["spec"]["template"]["spec"]  # type: ignore[index]
    container = pod["containers"][0]
    drained = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = float(option(container["args"], "grace"))
    assert pod["terminationGracePeriodSeconds"] > drained + grace


def test_ports_are_those_that_the_service_listens_on() -> None:
    (compose,) = documents("compose.yaml")
    service = compose["services"]["ftp"]  # type: ignore[index]
    assert service["ports"] == ["2121:2121", "50000:50000", "127.0.0.1:8021:8021"]
    (node,) = (one for one in documents("kubernetes.yaml") if one["kind"] == "StatefulSet")
    container = node["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    given = {one["name"]: one["containerPort"] for one in container["ports"]}
    for arguments in (service["command"], container["args"]):
        assert option(arguments, "listen") == f"tcp:{given['control']}"
        assert option(arguments, "passive-port") == str(given["data"])
        assert option(arguments, "http") == f"tcp:{given['http']}"
    assert f"EXPOSE {given['control']} {given['data']} {given['http']}" in text_of("Dockerfile")


@pytest.mark.parametrize("page", [DEPLOY / "haproxy.cfg", CHECKOUT / "README.md"])
def test_haproxy_cuts_no_control_connection_during_a_transfer(page: Path) -> None:
    """It is silent as long as that takes, and these times are those of silence."""
    times = re.findall(r"^ +timeout (?:client|server) (\S+)$", page.read_text(), re.MULTILINE)
    long = [one for one in times if parse_duration(one) >= DAY]
    assert len(long) == 2
    assert set(times) - set(long) <= {"10s"}  # of its own page


def test_haproxy_ends_the_connections_of_a_machine_that_is_off() -> None:
    """But not those of a node that drains, which is down for its checks."""
    text = text_of("haproxy.cfg")
    given = dict(re.findall(r"srvtcpka-(\w+) (\d+)", text))
    assert int(given["idle"]) + int(given["intvl"]) * int(given["cnt"]) == 30
    servers = re.findall(r"^ +server .*2125.*$|^ +default-server .*$", text, re.MULTILINE)
    assert len(servers) == 4
    assert all("2125" in one or "tcp-ut 30s" in one for one in servers)
    assert "shutdown-sessions" not in text


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    unit = (CHECKOUT / "docs" / "examples" / "ftpservice.service").read_text()
    (tmp_path / "ftpservice.service").write_text(
        unit.replace("/opt/ftpservice/bin/ftpservice", "/bin/true")
    )
    (tmp_path / "ftpservice.service.d").mkdir()
    shutil.copy(DEPLOY / "node.conf", tmp_path / "ftpservice.service.d")
    shutil.copy(DEPLOY / "srv-ftp.mount", tmp_path)
    names = ("ftpservice.service", "srv-ftp.mount")
    done = checked("systemd-analyze", "verify", *(tmp_path / name for name in names))
    assert str(tmp_path) not in done.stderr


def test_the_units_fit_to_the_settings() -> None:
    settings, added = parse_toml(text_of("node.toml")), text_of("node.conf")
    mount = dict(re.findall(r"^(\w+)=(.*)$", text_of("srv-ftp.mount"), re.MULTILINE))
    found = re.search(r"^TimeoutStopSec=(\d+)$", added, re.MULTILINE)
    assert found is not None
    assert int(found[1]) > settings["grace"]
    assert f"RequiresMountsFor={mount['Where']}\n" in added
    assert settings["root"].startswith(f"local:{mount['Where']}:")
    assert {"_netdev", "enable-xattr"} <= set(mount["Options"].split(","))
    assert "writeback" not in mount["Options"]


@pytest.mark.skipif(os.geteuid() != 0, reason="nft needs root")
def test_the_firewall_lets_the_right_ones_pass(tmp_path: Path) -> None:
    rules, settings = shown("nft", "table inet"), parse_toml(text_of("node.toml"))
    (tmp_path / "rules").write_text(rules)
    checked(program("nft"), "--check", "--file", tmp_path / "rules")
    control = settings["listen"][0].rpartition(":")[2]
    http = settings["http"][0].rpartition(":")[2]
    ports = f"{{ {control}, {http}, 50001-50003 }}"
    (balancer,) = settings["passive-proxied"]
    (reader,) = settings["metrics-from"]
    assert f"ip saddr {balancer.network_address} tcp dport {ports} accept" in rules
    assert f"ip saddr {reader.network_address} tcp dport {http} accept" in rules
    assert f"tcp dport {ports} drop" in rules


ANSWERS = """
import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as server:
    print("listens", flush=True)
    while True:
        server.accept()[0].close()
"""
CONNECTS = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), int(sys.argv[3])).close()
except TimeoutError:
    print("dropped")
else:
    print("connected")
"""


def test_the_firewall_of_a_node_drops_what_others_send(tmp_path: Path) -> None:
    """And lets `ftpservice doctor` connect to the service of its machine."""
    if why := missing():
        pytest.skip(why)
    rules = shown("nft", "table inet")
    balancer = re.findall(r"ip saddr (\S+) tcp dport \{", rules)[0]
    with NATNetwork(forwards=False) as network:

        def loaded(text: str) -> None:
            checked(*network.words("s", program("nft"), f"flush ruleset; {text}"))

        def tried(role: str, address: str, port: int, seconds: int = 30) -> str:
            places = (address, str(port), str(seconds))
            words = network.words(role, sys.executable, "-c", CONNECTS, *places)
            return checked(*words).stdout.strip()

        for port in (2125, 50001):
            words = network.words("s", sys.executable, "-c", ANSWERS, str(port))
            with Program(words, tmp_path) as answering:
                answering.line("listens")
                loaded(rules)
                assert tried("s", "127.0.0.1", port) == "connected"
                assert tried("s", SERVER, port) == "connected"
                assert tried("r", SERVER, port, 1) == "dropped"
                loaded(rules.replace(balancer, INSIDE))
                assert tried("r", SERVER, port) == "connected"


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    text = shown("yaml", "scrape_configs")
    port = parse_toml(text_of("node.toml"))["http"][0].rpartition(":")[2]
    assert text.count(f":{port}") == 3
    if PROMTOOL is None:
        pytest.skip("prometheus is not installed")
    (tmp_path / "prometheus.yml").write_text(text)
    rules = CHECKOUT / "docs" / "examples" / "prometheus" / "ftpservice-alerts.yml"
    shutil.copy(rules, tmp_path)
    checked(PROMTOOL, "check", "config", tmp_path / "prometheus.yml")


def test_the_hook_of_certbot_is_a_script_for_all_nodes(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(shown("", "RENEWED_LINEAGE"))
    checked("sh", "-n", tmp_path / "hook")
    nodes = re.findall(r"10\.0\.0\.[5-9]", text_of("haproxy.cfg"))
    assert set(re.findall(r"10\.0\.0\.\d", (tmp_path / "hook").read_text())) == set(nodes)


def test_the_image_has_the_cache_of_plugins() -> None:
    """The user of the service cannot write it: it would be made anew at each start."""
    steps = text_of("Dockerfile")
    assert steps.index("ftpservice serve --help") > steps.index("pip install")
    assert steps.index("ftpservice serve --help") < steps.index("USER ftpservice")
    assert "metrics" in steps.partition("ARG EXTRAS=")[2].partition("\n")[0].split(",")


def test_secrets_are_not_for_everybody() -> None:
    secrets = re.findall(r"secret: \{(.*)\}", text_of("kubernetes.yaml"))
    assert len(secrets) == 2
    assert all("defaultMode: 0440" in one for one in secrets)

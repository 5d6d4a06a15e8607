"""The files of ``docs/deploy`` are what their programs accept, and fit together."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from ftpservice.service.settings.settings import SETTINGS
from ftpservice.service.settings.toml_file import parse_toml
from ftpservice.wire.units import parse_duration
from tests.support.client_programs import program
from tests.support.service_process import CHECKOUT

DEPLOY = CHECKOUT / "docs" / "deploy"
NAMES = set(SETTINGS)
WORDS_OF_COMMANDS = {"config", "socket", "wait"}


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def documents(name: str) -> list[dict[str, object]]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text_of(name)))


def test_haproxy_accepts_its_configuration() -> None:
    words = [program("haproxy"), "-c", "-f", str(DEPLOY / "haproxy.cfg")]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


@pytest.mark.parametrize(
    ("module", "words", "name"),
    [
        ("kubernetes_validate", ["--strict"], "kubernetes.yaml"),
        ("check_jsonschema", ["--builtin-schema", "vendor.compose-spec"], "compose.yaml"),
    ],
)
def test_the_schema_of_its_format_accepts_it(module: str, words: list[str], name: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    command = [sys.executable, "-m", module, *words, str(DEPLOY / name)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml", "Dockerfile"])
def test_options_exist(name: str) -> None:
    given = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text_of(name)))
    unknown = given - NAMES - WORDS_OF_COMMANDS
    if name == "Dockerfile":  # those of pip and useradd, too
        unknown -= {"no-cache-dir", "constraint", "uid", "home-dir", "create-home"}
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
        assert re.search(rf"server {node} \S+:{port} send-proxy-v2$", backend, re.MULTILINE)
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

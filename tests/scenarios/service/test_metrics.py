"""The metrics of a service with real transfers, as Prometheus and its tools judge them."""

from __future__ import annotations

import http.client
import json
import re

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.docs_pages import DOCS, EXAMPLES
from tests.support.prometheus import PROMETHEUS, PROMTOOL, Prometheus, promtool
from tests.support.raw_client import in_thread, starting

__all__ = ["starting"]

PATIENCE = 30
WEB = ("--http", "tcp:0:interface=127.0.0.1", "--metrics", "on")
FILES = EXAMPLES / "prometheus"
RULES = FILES / "ftpservice-alerts.yml"
OF_OTHER_SERVICES = ("ftpservice_worker", "ftpservice_cluster")
"""Metrics that a service with one process and no cluster does not have."""
HOOKS = """
[[hook]]
name = "tell"
on = ["upload"]
command = ["/bin/true"]

[[hook]]
name = "scan"
on = ["upload"]
gate = true
command = ["/bin/true"]
"""
LINES = f"ann:{SHIPPED_HASH}:/:full:quota=200000\n"
NAME = re.compile(r"\b(?:ftpservice|process)_[a-z_]+")
needs_prometheus = pytest.mark.skipif(
    PROMTOOL is None or PROMETHEUS is None, reason="prometheus is not installed"
)


def observed(server, tmp_path):
    """Start a service with all that has metrics, and use it."""
    config, accounts = tmp_path / "ftpservice.toml", tmp_path / "more.db"
    config.write_text(HOOKS)
    accounts.write_text(LINES)
    # Nothing takes the spans: port 1 is nobody's.
    more = (
        "--otel-endpoint",
        "http://127.0.0.1:1",
        "--config",
        str(config),
        "--auth",
        f"passwd:{accounts}",
    )
    served = server(*WEB, *more, "--data-dir", str(tmp_path / "data"))
    assert served.session("ann").upload("STOR a", b"x" * 96_000).code == 226
    assert served.session().upload("STOR b", b"x" * 100_000).code == 226
    hooks = served.service.parts.realm.gates._rules
    assert [rule.record.counts["accepted"] for rule in hooks] == [2]
    return served


def scrape(served):
    connection = http.client.HTTPConnection("127.0.0.1", served.ports[-1], timeout=PATIENCE)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return text


def dashboard():
    """Return the expressions of the dashboard, without its variables."""
    found = json.loads((FILES / "ftpservice-dashboard.json").read_text())
    targets = [target for panel in found["panels"] for target in panel.get("targets", ())]
    variables = [one["query"]["query"] for one in found["templating"]["list"][1:]]
    assert variables == ["label_values(ftpservice_build_info, instance)"]
    return [
        target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")
        for target in targets
    ]


@needs_prometheus
@in_thread
def test_promtool_finds_nothing_wrong_in_the_metrics(server, tmp_path) -> None:
    text = scrape(observed(server, tmp_path))
    for line in (
        'ftpservice_transfer_bytes_total{direction="upload",protocol="ftp"} 196000.0',
        'ftpservice_sessions{protocol="ftp",state="idle"} 2.0',
        'ftpservice_logins_total{outcome="success",protocol="ftp"} 2.0',
        'ftpservice_quota_used_ratio{account="ann"} 0.98',
        'ftpservice_gate_answers_total{gate="scan",outcome="accepted"} 2.0',
        'ftpservice_pool_calls{pool="login",state="waiting"} 0.0',
    ):
        assert line in text
    assert "demo" not in text
    lint = promtool("check", "metrics", text=text)
    assert [line for line in lint.splitlines() if line.startswith("ftpservice")] == []


@needs_prometheus
@in_thread
def test_prometheus_scrapes_the_service_for_every_rule_and_panel(server, tmp_path) -> None:
    served = observed(server, tmp_path)
    with Prometheus(tmp_path / "prometheus", served.ports[-1], RULES) as prometheus:

        def is_up() -> bool:
            samples = prometheus.ask("query", query="count_over_time(up[1m])")["result"]
            return any(int(sample["value"][1]) > 2 for sample in samples)

        prometheus.wait_for(is_up, "it is not scraped")
        (target,) = prometheus.ask("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")

        def rules():
            (group,) = prometheus.ask("rules")["groups"]
            known = all(rule["health"] != "unknown" for rule in group["rules"])
            return group["rules"] if known else None

        found = prometheus.wait_for(rules, "the rules are not evaluated")
        assert {
            rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"
        } == {}
        assert len(found) == RULES.read_text().count("- alert:")
        names = set(prometheus.ask("label/__name__/values"))
        page = (DOCS / "metrics.md").read_text()
        documented = set(re.findall(r"`(ftpservice_[a-z_]+)`", page))
        elsewhere = {one for one in documented if one.startswith(OF_OTHER_SERVICES)}
        for expression in (*dashboard(), *(rule["query"] for rule in found)):
            assert set(NAME.findall(expression)) <= names | elsewhere, expression
            prometheus.ask("query", query=expression)
        scraped = {re.sub("_(bucket|sum|count|created)$", "", name) for name in names}
        own = {name for name in scraped if name.startswith("ftpservice_")}
        assert own - {"ftpservice_build_info"} <= documented
        assert documented - elsewhere <= names | scraped


@needs_prometheus
def test_the_alert_rules_do_what_their_own_tests_say() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))
    assert "SUCCESS" in promtool("test", "rules", str(FILES / "ftpservice-alerts-test.yml"))
    assert "SUCCESS" in promtool("check", "config", str(FILES / "prometheus.yml"))
    tested = (FILES / "ftpservice-alerts-test.yml").read_text()
    for alert in re.findall(r"- alert: (\w+)", RULES.read_text()):
        assert f"alertname: {alert}\n        exp_alerts:" in tested, f"{alert} is not tested"

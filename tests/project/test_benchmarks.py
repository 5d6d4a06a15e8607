"""What the benchmark computes and writes; nothing is measured here."""

from __future__ import annotations

import os
import pwd
import ssl
import subprocess
import sys
import xml.etree.ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import buckets
from benchmarks.__main__ import possible
from benchmarks.certificate import make_certificate
from benchmarks.jobs import (
    BEST_C,
    BEST_PEER,
    BEST_PYFTPDLIB,
    CORES,
    JOBS,
    Goal,
    Job,
    Measure,
    Profile,
)
from benchmarks.options import parse
from benchmarks.plot import svg
from benchmarks.processes import cpu_seconds, family, memory
from benchmarks.results import Outcome, Results, Row, Sample
from benchmarks.scaling import Cost, predicted, report
from benchmarks.servers.daemons import proftpd_configuration, vsftpd_configuration
from benchmarks.servers.in_python import ours, ours_workers, pyftpdlib
from benchmarks.servers.lineup import NAMES
from benchmarks.servers.recipe import Peer, Place, Start
from benchmarks.table import markdown, number, text
from benchmarks.workspace import Workspace

MACHINE = {
    "date": "2026-01-01",
    "cpu": "a cpu",
    "cores": 2,
    "memory": "1 kB",
    "system": "Linux",
    "python": "3.11",
    "load": 0.0,
    "scale": 1.0,
    "rounds": 3,
    "servers": {"ours": "checkout"},
}
GIB = 1 << 30


def outcome(*values: float) -> Outcome:
    return Outcome([Sample(value, 2.0, GIB, 10, 1.0, 0.5) for value in values])


def row(measure: Measure = Measure.RATE, *goals: Goal) -> Row:
    job = Job("job", "A <job>", measure, "retr", goals=goals)
    return Row(
        job,
        {
            "ours": outcome(300, 100, 200),
            "pyftpdlib": outcome(100),
            "vsftpd": outcome(50),
            "pure-ftpd": outcome(400),
        },
    )


def test_a_number_is_the_median_of_its_samples() -> None:
    assert outcome(300, 100, 200).value == 200
    assert outcome(300, 100, 200).spread == (100, 300)


def test_the_cost_is_told_by_what_the_job_counts() -> None:
    assert outcome(1).cost(Measure.RATE) == "0.50 s/GiB"
    assert outcome(1).cost(Measure.FILES) == "50000 us/op"
    assert outcome(1).cost(Measure.MEMORY) == ""
    assert outcome(1).client_share == 0.5


def test_the_best_is_the_most_or_the_least_as_the_measure_wants() -> None:
    assert row().reference(BEST_C) == 400
    assert row(Measure.MEDIAN).reference(BEST_C) == 50
    assert row().reference(BEST_PEER) == 400
    assert row(Measure.MEDIAN).reference(BEST_PEER) == 50
    assert row().reference("nobody") is None


def test_goals_are_at_least_where_more_is_better_and_at_most_elsewhere() -> None:
    goals = (Goal(2.0, "pyftpdlib"), Goal(1.0, BEST_C), Goal(1.0, "nobody"))
    assert [(it.ratio, it.met) for it in row(Measure.RATE, *goals).reached()] == [
        (2.0, True),
        (0.5, False),
    ]
    assert [it.met for it in row(Measure.MEDIAN, *goals, Goal(200, "")).reached()] == [
        True,
        False,
        True,
    ]


def test_cores_in_use_are_those_of_server_and_clients_together() -> None:
    reached = row(Measure.RATE, Goal(0.75, CORES), Goal(0.8, CORES)).reached()
    assert [(it.ratio, it.met) for it in reached] == [(0.75, True), (0.75, False)]


def test_a_goal_of_several_processes_compares_their_numbers() -> None:
    found = row(
        Measure.RATE,
        Goal(1.8, "ours", "ours-workers"),
        Goal(1.0, BEST_PYFTPDLIB, "ours-workers"),
        Goal(100, "", "ours-workers"),
        Goal(1.0, CORES, "ours-workers"),
    )
    assert found.reached() == []
    found.outcomes["ours-workers"] = outcome(300)
    found.outcomes["pyftpdlib-prefork"] = outcome(600)
    assert [(it.ratio, it.met) for it in found.reached()] == [
        (1.5, False),
        (0.5, False),
        (300, True),
        (0.75, False),
    ]
    report = text(Results(dict(MACHINE), [found]))
    assert "ours-workers: 1.8 x ours: 1.5, NOT reached" in report


def test_a_server_is_out_when_it_fails_too_often() -> None:
    assert not Outcome([], ["no"]).out
    assert not Outcome([], ["no"]).usable
    assert Outcome([], ["no", "no"]).out
    assert Outcome([Sample(1)], ["no", "no"]).usable
    assert Outcome([Sample(1)], ["no"] * 3).out
    assert not Outcome([Sample(1)], ["no"] * 3).usable
    assert not Outcome()


def results() -> Results:
    failed = row(Measure.RATE, Goal(2.0, "pyftpdlib"))
    failed.outcomes["twisted"] = Outcome([], ["hangs"])
    return Results(dict(MACHINE), [failed])


def test_tables_show_ratios_goals_and_failures() -> None:
    block = text(results())
    assert "2 x pyftpdlib: 2, reached" in block
    assert "- job, twisted: hangs" in block
    table = markdown(results())
    assert "| A <job>, MB/s | 200 (x2) [0.50 s/GiB] | 100 [0.50 s/GiB] |" in table


def test_data_connections_that_did_not_resume_are_reported() -> None:
    found = row()
    found.outcomes["ours"] = Outcome([Sample(1, 1.0, GIB, secured=5, resumed=5)])
    found.outcomes["vsftpd"] = Outcome(
        [Sample(1, 1.0, GIB, secured=5, resumed=5), Sample(1, 1.0, GIB, secured=5)]
    )
    report = text(Results(dict(MACHINE), [found]))
    assert "- job, vsftpd: 5 of 10 data connections resumed a TLS session" in report
    assert "- job, ours" not in report


def test_the_plot_is_well_formed_and_has_a_bar_for_each_server() -> None:
    tree = xml.etree.ElementTree.fromstring(svg(results()))
    assert len(tree.findall("{http://www.w3.org/2000/svg}rect")) == 1 + 4


def test_results_survive_their_file(tmp_path: Path) -> None:
    written = Results(dict(MACHINE))
    written.add(JOBS[0], {"ours": outcome(1, 2), "twisted": Outcome([], ["hangs"])})
    written.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == written


@pytest.mark.parametrize(
    ("value", "shown"), [(12345.6, "12346"), (12.345, "12.3"), (0.0123, "0.0123"), (0.0, "0")]
)
def test_numbers_have_the_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_jobs_have_names_of_their_own_and_know_the_servers_they_name() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    goals = [goal for job in JOBS for goal in job.goals]
    groups = {BEST_C, BEST_PEER, BEST_PYFTPDLIB, CORES, ""}
    named = {goal.reference for goal in goals} - groups | {goal.server for goal in goals}
    assert named | {name for job in JOBS for name in job.without} <= set(NAMES)


def test_jobs_and_servers_are_chosen_by_patterns() -> None:
    choice = parse(["--jobs", "retr1,small-*", "--servers", "ours,py*", "--quick"])
    assert choice.jobs[0].name == "retr1"
    assert len(choice.jobs) == 6
    assert choice.servers == (
        "ours",
        "pyftpdlib",
        "pyftpdlib-copy",
        "pyftpdlib-prefork",
        "pyftpdlib-processes",
    )
    assert (choice.rounds, choice.scale) == (1, 0.1)


@pytest.mark.parametrize("words", [["--jobs", "nothing"], ["--scale", "2"], ["--rounds", "0"]])
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)


def test_the_workspace_scales_makes_and_removes_its_files(tmp_path: Path) -> None:
    job = Job("job", "", Measure.RATE, "retr", 2, 100, 100_000, 1000, text=True)
    with Workspace(tmp_path, 0.1) as space:
        assert (space.size(job), space.count(job), space.entries(job)) == (10_000, 10, 100)
        assert (space.root / space.file(job)).stat().st_size == 10_000
        source, size = space.source(job, ascii_lines=True)
        assert size == source.stat().st_size == 10_000 + source.read_bytes().count(b"\r\n")
        assert len(list((space.root / space.directory(job)).iterdir())) == 100
        space.hold(space.total(job))
        space.release()
    assert list(tmp_path.iterdir()) == []


def place(tmp_path: Path) -> Place:
    return Place(2121, tmp_path, tmp_path, "hash", tmp_path, None)


def test_configurations_hold_the_port_and_listen_on_this_machine_only(tmp_path: Path) -> None:
    vsftpd = vsftpd_configuration(place(tmp_path), tmp_path / "empty")
    assert "listen_address=127.0.0.1\nlisten_port=2121\n" in vsftpd
    owner = pwd.getpwuid(os.getuid())
    proftpd = proftpd_configuration(place(tmp_path), tmp_path / "passwd", owner)
    assert "DefaultAddress 127.0.0.1\nSocketBindTight on\nPort 2121\n" in proftpd


def test_ours_is_started_as_a_user_would(tmp_path: Path) -> None:
    start = ours("ours").recipe(Profile.PLAIN, place(tmp_path))
    assert start is not None
    assert "ftpservice" in start.command
    assert "--listen=tcp:2121:interface=127.0.0.1" in start.command
    assert ours("ours").recipe(Profile.SLOW_DISK, place(tmp_path)) is None


def test_several_processes_are_measured_only_where_they_make_a_difference(tmp_path: Path) -> None:
    where = place(tmp_path)
    divided = ours_workers("ours-workers").recipe(Profile.PLAIN, where)
    assert divided is not None and divided.command[-1] == "--workers=2"
    prefork, processes = pyftpdlib("pyftpdlib-prefork"), pyftpdlib("pyftpdlib-processes")
    assert prefork is not None and processes is not None
    assert prefork.most_sessions > processes.most_sessions
    start = prefork.recipe(Profile.PLAIN, where)
    assert start is not None and start.command[-4:] == ("--model", "prefork", "--workers", "2")
    for peer in (ours_workers("ours-workers"), prefork, processes):
        assert peer.recipe(Profile.MEMORY, where) is None
        assert peer.recipe(Profile.STALL, where) is None


@pytest.mark.parametrize(
    ("workers", "cores", "clients_elsewhere", "rate"),
    [
        (1, 8, True, 2000.0),  # the worker is busy
        (4, 2, True, 2 / 0.0006),  # the processors are
        (4, 2, False, 2 / 0.0008),  # with the clients
        (100, 100, True, 10_000.0),  # the main process is
    ],
)
def test_the_model_has_three_limits(
    workers: int, cores: int, clients_elsewhere: bool, rate: float
) -> None:
    cost = Cost(worker=0.0005, main=0.0001, client=0.0002, rate=0.0)
    assert predicted(cost, workers, cores, clients_elsewhere) == pytest.approx(rate)


def test_measured_costs_are_beside_what_the_model_says() -> None:
    one, several = Cost(0.0004, 0.0, 0.0001, 2400.0), Cost(0.0004, 0.0001, 0.0001, 2900.0)
    shown = report(JOBS[0], {1: one, 2: several, 3: several, 4: several})
    assert "| 2 | 400 | 100 | 100 | 2900 |" in shown
    assert "| operations a second | 2500 | 4000 | 6000 | 8000 | 10000 |" in shown
    assert "| ratio | 1.00 | 1.60 | 2.40 | 3.20 | 4.00 |" in shown


def test_ours_speaks_the_simple_protocol_where_that_is_measured(tmp_path: Path) -> None:
    start = ours("ours").recipe(Profile.SIMPLE, place(tmp_path))
    assert start is not None and start.simple
    assert "--simple=tcp:2121:interface=127.0.0.1" in start.command
    assert "--listen=tcp:0:interface=127.0.0.1" in start.command
    assert not Start(()).simple


def secured(tmp_path: Path) -> Place:
    path = tmp_path / "certificate.pem"
    make_certificate(path)
    return replace(place(tmp_path), certificate=path)


def test_the_certificate_is_one_that_a_server_can_use_and_only_its_owner_can_read(
    tmp_path: Path,
) -> None:
    path = secured(tmp_path).certificate
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_servers_have_a_certificate_under_tls_and_none_elsewhere(tmp_path: Path) -> None:
    commands = [
        (vsftpd_configuration(where, tmp_path), words(Profile.TLS, where))
        for where in (secured(tmp_path), place(tmp_path))
    ]
    assert all("certificate.pem" in text for text in commands[0])
    assert not any("certificate.pem" in text for text in commands[1])


def words(profile: Profile, where: Place) -> str:
    start = ours("ours").recipe(profile, where)
    assert start is not None
    return " ".join(map(str, start.command))


def test_jobs_under_tls_are_left_out_when_the_load_client_has_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    peers = [Peer("twisted", "1", lambda _, __: None, without_tls="it has none")]
    plain = possible(JOBS, peers, has_tls=False)
    assert plain == tuple(job for job in JOBS if not job.name.startswith("tls-"))
    assert "no TLS: the compiler" in capsys.readouterr().err
    assert possible(JOBS, peers, has_tls=True) == JOBS
    assert capsys.readouterr().err == "no TLS: twisted: it has none\n"


def test_a_process_is_counted_with_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in family(os.getpid())
        assert memory(child.pid) > 0
        child.communicate(b"\n")
    assert cpu_seconds(os.getpid()) > 0


def test_the_table_of_buckets_has_medians_and_ratios_of_the_same_round() -> None:
    rates = {
        buckets.LARGE_RETR: {"library": [100.0, 200.0, 300.0], "s3": [90.0, 160.0, 330.0]},
        buckets.COSTS[buckets.LARGE_RETR]: {"library": [1.0, 2.0, 1.5], "s3": [1.5, 1.5, 1.5]},
    }
    assert list(buckets.table(rates)) == [
        "| | library | s3 |",
        "| --- | --- | --- |",
        "| RETR large, MB/s | 200 (1.00) | 160 (0.90) |",
        "| RETR large, processor s/GiB | 1.50 (1.00) | 1.50 (1.00) |",
    ]

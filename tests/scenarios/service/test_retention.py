"""Retention in a service that runs: beside transfers, when it is killed, and when it stops."""

import ftplib
import signal
import threading
from io import BytesIO
from itertools import product

import pytest

from tests.support.restartable_service import wait_until
from tests.support.retention_service import RetentionPlace, deleted_paths
from tests.support.service_process import PATIENCE


@pytest.fixture
def place(tmp_path):
    return RetentionPlace(tmp_path)


def connected(program):
    client = ftplib.FTP(encoding="utf-8")
    client.connect("127.0.0.1", program.port(), PATIENCE)
    client.login("ann", "secret")
    return client


@pytest.mark.parametrize(
    ("fault", "is_left"),
    [
        ("dies:rename:1:before", True),
        ("dies:rename:1:after", True),
        ("dies:unlink:1:before", True),
        ("dies:unlink:1:after", False),
    ],
)
def test_a_service_that_is_killed_in_a_deletion_loses_nothing(place, fault, is_left):
    place.put({"old": b"content"})
    with place.serve(40, fault) as program:
        program.port()
        status, _output = place.command("run", "--force")
        assert status == 3
        assert program.ended() == -signal.SIGKILL
    [*names] = place.contents()
    assert len(names) == int(is_left)
    with place.serve(0) as program:
        program.port()
        wait_until(lambda: place.contents() == ({"old": b"content"} if is_left else {}))
        if is_left and "old" not in names:
            program.line("a removal in /ann was interrupted: the file is back")
        assert program.stopped() == 0


def test_a_file_that_is_downloaded_stays_until_the_download_has_ended(place):
    content = bytes(4_000_000)
    place.put({"large": content, "small": b"x"})
    with place.serve() as program, connected(program) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd("RETR large") as data:
            received = len(data.recv(1))
            done = place.run()
            assert [each["path"] for each in done["files"]] == ["/small"]
            assert done["accounts"][0]["in_use"] == 1
            while piece := data.recv(1 << 20):
                received += len(piece)
        client.voidresp()
        assert received == len(content)
        assert [each["path"] for each in place.run()["files"]] == ["/large"]
    assert place.contents() == {}


def test_a_file_that_is_appended_to_stays(place):
    place.put({"log": b"old"})
    with place.serve() as program, connected(program) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd("APPE log") as data:
            data.sendall(b", and new")
            wait_until(lambda: place.contents()["log"] == b"old, and new")
            assert place.run()["files"] == []
        client.voidresp()
    assert place.contents() == {"log": b"old, and new"}


def test_an_upload_under_way_is_published_when_it_is_complete(place):
    place.put({"a": b"old"})
    with place.serve() as program, connected(program) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd("STOR a") as data:
            data.sendall(bytes(200_000))
            wait_until(lambda: len(place.contents()) == 2)
            assert [each["path"] for each in place.run()["files"]] == ["/a"]
        client.voidresp()
    assert place.contents() == {"a": bytes(200_000)}


NAMES = [f"f{number}" for number in range(4)]
ROUNDS = 30


def content(name, number):
    return f"{name} {number} ".encode() * 500


class Race:
    """Two clients and a run after the other; ``problems`` has what must not happen."""

    def __init__(self, place):
        self.place = place
        self.problems = []
        self.whole = {content(name, number) for name in NAMES for number in range(ROUNDS)}

    def upload(self, client, name, number):
        client.storbinary(f"STOR {name}", BytesIO(content(name, number)))

    def download(self, client, name, _number):
        pieces = []
        try:
            client.retrbinary(f"RETR {name}", pieces.append)
        except (ftplib.error_perm, ftplib.error_temp):
            return
        if b"".join(pieces) not in self.whole:
            self.problems.append(f"{name} was read in part")

    def repeat(self, program, step):
        try:
            with connected(program) as client:
                for number, name in product(range(ROUNDS), NAMES):
                    step(client, name, number)
        except Exception as error:  # noqa: BLE001 - reported by the test
            self.problems.append(error)

    def run(self, program):
        """Return the number of runs."""
        steps = (self.upload, self.download)
        threads = [threading.Thread(target=self.repeat, args=(program, one)) for one in steps]
        for thread in threads:
            thread.start()
        runs = 0
        while any(thread.is_alive() for thread in threads):
            self.place.run()
            runs += 1
        return runs


def test_uploads_and_downloads_race_with_runs(place):
    """Whole files or none; what is not there has been deleted by a logged deletion."""
    race = Race(place)
    with place.serve() as program:
        program.port()
        assert race.run(program) > 1
        assert program.stopped() == 0
    assert race.problems == []
    assert deleted_paths(program.lines)
    left = place.contents()
    assert left.keys() <= set(NAMES)
    assert all(left[name] == content(name, ROUNDS - 1) for name in left)
    for name in set(NAMES) - left.keys():
        lines = [line for line in program.lines if f" /{name}:" in line and "downl" not in line]
        assert " retention deleted " in lines[-1]


def test_a_stop_ends_a_run_and_every_deletion_is_in_the_log(place):
    place.put({f"{number}": b"x" for number in range(1000)})
    with place.serve() as program:
        program.port()
        answers: list[tuple[int, str]] = []
        running = threading.Thread(target=lambda: answers.append(place.command("run", "--force")))
        running.start()
        wait_until(lambda: len(place.contents()) < 1000)
        assert program.stopped(signal.SIGTERM) == 0
        running.join()
    left = place.contents()
    assert 0 < len(left) < 1000
    deleted = deleted_paths(program.lines)
    assert len(deleted) == len(set(deleted)) == 1000 - len(left)
    assert not any(name.startswith(".") for name in left)
    [(status, _output)] = answers
    assert status in (1, 3)

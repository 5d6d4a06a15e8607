"""SeaweedFS with three servers of volumes, each object on two of them; one can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import urllib3

from benchmarks.ports import reserved_port
from tests.support.run_watcher import end_with_run, remove_with_run
from tests.support.s3_servers import KEY, SECRET, make_bucket, wait_for

__all__ = ["SeaweedCluster"]

VOLUME_SERVERS = 3
REPLICATION = "001"
"""One copy on another server of the same rack."""


class SeaweedCluster:
    """A context manager; ``url`` is that of its S3 server."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, tuple[int, int]] = {}  # by names, for HTTP and for gRPC

    def __enter__(self) -> SeaweedCluster:
        with ExitStack() as stack:
            for name in ("master", "filer", "s3", *map("volume{}".format, range(VOLUME_SERVERS))):
                http, grpc = (stack.enter_context(reserved_port()) for _ in range(2))
                self._ports[name] = http, grpc
            folder = tempfile.TemporaryDirectory(prefix="ftpservice-weeds-")
            self._folder = Path(stack.enter_context(folder))
            remove_with_run(self._folder)
            stack.callback(self._end)
            self._start_all()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The URL of its S3 server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port of its S3 server."""
        return self._ports["s3"][0]

    def start_volumes(self, number: int) -> None:
        """Start a server of volumes, and wait until it answers."""
        name = f"volume{number}"
        directory = self._folder / name
        directory.mkdir(exist_ok=True)
        master = f"127.0.0.1:{self._ports['master'][0]}.{self._ports['master'][1]}"
        words = ["volume", "-ip=127.0.0.1", f"-dir={directory}", "-max=100", f"-mserver={master}"]
        self._start(name, *words, *self._port_options(name))
        self._wait(name, "/status")

    def fullest(self) -> int:
        """Return the number of the server with most volumes."""
        counts = {}
        for number in range(VOLUME_SERVERS):
            port = self._ports[f"volume{number}"][0]
            answer = urllib3.request("GET", f"http://127.0.0.1:{port}/status").json()
            counts[number] = len(answer.get("Volumes") or ())
        return max(counts, key=lambda number: counts[number])

    def kill_volumes(self, number: int) -> None:
        """Kill a server of volumes."""
        process = self._processes.pop(f"volume{number}")
        process.kill()
        process.wait()

    def _start_all(self) -> None:
        master, grpc = self._ports["master"]
        (self._folder / "master").mkdir()
        rights = [{"accessKey": KEY, "secretKey": SECRET}]
        identity = {"name": "t", "credentials": rights, "actions": ["Admin", "Read", "Write"]}
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self._start(
            *("master", "master", f"-mdir={self._folder / 'master'}", "-telemetry=false"),
            *(f"-defaultReplication={REPLICATION}", "-volumeSizeLimitMB=64"),
            *("-ip=127.0.0.1", *self._port_options("master")),
        )
        self._wait("master", "/cluster/status")
        for number in range(VOLUME_SERVERS):
            self.start_volumes(number)
        filer, filer_grpc = self._ports["filer"]
        (self._folder / "filer").mkdir()
        self._start(
            *("filer", "filer", f"-master=127.0.0.1:{master}.{grpc}"),
            *(f"-defaultReplicaPlacement={REPLICATION}", "-ip=127.0.0.1"),
            *(f"-defaultStoreDir={self._folder / 'filer'}", *self._port_options("filer")),
        )
        self._wait("filer", "/")
        self._start(
            *("s3", "s3", f"-filer=127.0.0.1:{filer}.{filer_grpc}", "-port.iceberg=0"),
            *("-port.lance=0", f"-config={self._folder / 's3.json'}", *self._port_options("s3")),
        )
        self._wait("s3", "/")
        make_bucket(self.url, "warm")

    def _port_options(self, name: str) -> list[str]:
        port, grpc = self._ports[name]
        return [f"-port={port}", f"-port.grpc={grpc}", "-ip.bind=127.0.0.1"]

    def _start(self, name: str, *words: str) -> None:
        weed = Path(sys.executable).with_name("weed")
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = end_with_run(
                subprocess.Popen([weed, *words], cwd=self._folder, stdout=log, stderr=log)
            )

    def _wait(self, name: str, path: str) -> None:
        port = self._ports[name][0]
        wait_for(self._processes[name], f"http://127.0.0.1:{port}{path}")

    def _end(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

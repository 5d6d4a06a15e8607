"""A real Prometheus, on a port and in a directory of its own, that scrapes one service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.support.run_watcher import end_with_run
from tests.support.service_process import PATIENCE

__all__ = ["PROMETHEUS", "PROMTOOL", "Prometheus", "promtool"]

PROMETHEUS = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")
IS_READY = "Server is ready to receive web requests"
LISTENS = re.compile(r'msg="Listening on" address=(\S+)')
LOOK_SECONDS = 0.05


def promtool(*words: str, text: str | None = None) -> str:
    """Run promtool, which has to succeed; return what it says."""
    done = subprocess.run(
        [str(PROMTOOL), *words], input=text, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done
    return done.stdout + done.stderr


class Prometheus:
    """A running Prometheus; a context manager. ``rules`` is a file of rules."""

    def __init__(self, directory: Path, target: int, rules: Path) -> None:
        directory.mkdir()
        configuration = directory / "prometheus.yml"
        config = {
            "global": {"scrape_interval": "200ms", "evaluation_interval": "200ms"},
            "scrape_configs": [
                {
                    "job_name": "ftpservice",
                    "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
                }
            ],
            "rule_files": [str(rules)],
        }
        configuration.write_text(json.dumps(config))  # JSON is YAML
        self._log = directory / "prometheus.log"
        words = {
            "config.file": configuration,
            "storage.tsdb.path": directory / "data",
            "web.listen-address": "127.0.0.1:0",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROMETHEUS), *(f"--{name}={value}" for name, value in words.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end_with_run(self._process)
        self._address = ""

    def __enter__(self) -> Prometheus:
        try:
            self._address = self.wait_for(self._listening, "Prometheus does not listen")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()

    def _listening(self) -> str:
        text = self._log.read_text()
        found = LISTENS.search(text)
        return "" if found is None or IS_READY not in text else found[1]

    def wait_for(self, found: Any, what: str) -> Any:
        """Return what ``found`` returns as soon as that is true."""
        deadline = time.monotonic() + PATIENCE
        while not (result := found()):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, f"{what}: {self._log.read_text()}"
            time.sleep(LOOK_SECONDS)
        return result

    def ask(self, path: str, **words: str) -> Any:
        """Return the data of an answer of its API."""
        url = f"http://{self._address}/api/v1/{path}?{urlencode(words)}"
        with urlopen(url, timeout=PATIENCE) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

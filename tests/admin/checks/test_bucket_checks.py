"""What the checks of settings and doctor say of a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_line import format_line
from ftpservice.admin.checks.bucket_checks import check_bucket_of
from ftpservice.admin.checks.finding import Level
from ftpservice.admin.cli import ftpservice
from ftpservice.backends.mounts.account_mount import AccountMount
from ftpservice.backends.s3 import bucket_check
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from tests.support.buckets import BUCKET
from tests.support.cheap_hash import DEMO_HASH
from tests.support.s3_servers import SETTINGS, make_bucket, moto_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a server with a bucket."""
    with mock.patch.dict(os.environ, SETTINGS), moto_server() as found:
        make_bucket(found, BUCKET)
        yield found


def checked(url: str, bucket: str, monkeypatch: pytest.MonkeyPatch, place: Path) -> tuple[int, str]:
    """Return the status and the output of ``config check``."""
    monkeypatch.chdir(place)
    escaped = url.replace(":", "\\:")
    words = ["--allow-root", "--auth=memory:ann:secret", "--listen=tcp:2121"]
    root = f"--root=s3:{bucket}:endpoint={escaped}"
    done = CliRunner().invoke(ftpservice, ["config", "check", *words, root])
    return done.exit_code, done.output


def test_config_check_names_the_setting(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, output = checked(url, BUCKET, monkeypatch, tmp_path)
    assert (status, output) == (0, "ftpservice: the settings are valid\n")
    status, output = checked(url, "no-such-bucket", monkeypatch, tmp_path)
    assert status == 1
    assert "--root: s3:no-such-bucket: 404 NoSuchBucket" in output
    assert "create the bucket" in output


def test_config_check_warns_of_a_server_that_may_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock.patch.dict(os.environ, SETTINGS):
        status, output = checked("http://127.0.0.1:1", BUCKET, monkeypatch, tmp_path)
    assert status == 0
    assert f"--root: s3:{BUCKET}: ConnectionRefusedError" in output
    assert "logins would be refused until it can be used" in output


def test_doctor_tells_what_the_server_does_not_keep(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = BucketOptions(BUCKET, "", url)
    (finding,) = check_bucket_of("root", options)
    assert (finding.level, finding.text) == (Level.GOOD, f"root: s3:{BUCKET} can be used")
    monkeypatch.setattr(bucket_check, "probe", lambda _served: ServerTraits(replaces=False))
    _good, finding = check_bucket_of("root", options)
    assert finding.level is Level.WARNING
    assert "two appends" in finding.text
    monkeypatch.undo()
    (finding,) = check_bucket_of("root", BucketOptions("no-such-bucket", "", url))
    assert finding.level is Level.ERROR
    assert finding.text.startswith("root: s3:no-such-bucket: 404 NoSuchBucket")
    assert finding.advice.startswith("create the bucket")


def test_doctor_looks_at_the_bucket_of_the_settings(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    escaped = url.replace(":", "\\:")
    words = ["--allow-root", "--auth=memory:ann:secret", "--listen=unix:sock", "--data-dir=var"]
    root = f"--root=s3:no-such-bucket:endpoint={escaped}"
    done = CliRunner().invoke(ftpservice, ["doctor", *words, root])
    assert done.exit_code == 1
    assert "root: s3:no-such-bucket: 404 NoSuchBucket" in done.output


def test_the_buckets_of_accounts_are_tried_each_once(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of roots and of mounts, whatever the prefix of each account."""
    monkeypatch.chdir(tmp_path)
    escaped = url.replace(":", "\\:")
    root, mount = "s3:{}:prefix={}:endpoint={}", f"s3:no-such-bucket:endpoint={escaped}"
    records = [
        AccountRecord("ann", DEMO_HASH, root.format(BUCKET, "ann", escaped)),
        AccountRecord("ben", DEMO_HASH, root.format(BUCKET, "ben", escaped)),
        AccountRecord("eve", DEMO_HASH, "/eve", mounts=(AccountMount("/m", mount),)),
    ]
    passwords = tmp_path / "passwd.db"
    passwords.write_text("".join(f"{format_line(one)}\n" for one in records))
    passwords.chmod(0o600)
    (tmp_path / "files").mkdir()
    words = ["--allow-root", "--auth=passwd:passwd.db", "--root=local:files", "--data-dir=var"]
    done = CliRunner().invoke(ftpservice, ["doctor", *words, "--listen=unix:sock"])
    assert done.output.count("can be used") == 1
    assert f"accounts 'ann', 'ben': s3:{BUCKET}:prefix=ann can be used" in done.output
    assert "account 'eve': s3:no-such-bucket: 404 NoSuchBucket" in done.output
    done = CliRunner().invoke(ftpservice, ["config", "check", *words, "--listen=tcp:2121"])
    assert done.exit_code == 0
    assert f"s3:{BUCKET}" not in done.output
    assert "account 'eve': s3:no-such-bucket: 404 NoSuchBucket" in done.output
    assert "its files cannot be had" in done.output

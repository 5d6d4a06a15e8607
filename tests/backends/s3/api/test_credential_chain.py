"""The chain of credentials: each link, with the servers that give them, and their renewal."""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.session import Session

from ftpservice.backends.s3.api import credential_chain
from ftpservice.backends.s3.api.credential_chain import CredentialChain
from ftpservice.backends.s3.api.failures import S3Failure, storage_error
from ftpservice.wire.paths import ROOT
from tests.support.credential_server import CredentialServer, credential_server

NAMES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in NAMES:
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def server() -> Iterator[CredentialServer]:
    with credential_server() as made:
        yield made


def chain(profile: str | None = None) -> CredentialChain:
    return CredentialChain(Session(profile=profile))


def set_config(text: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text)


def end_in(found: CredentialChain, minutes: float) -> None:
    """Have the keys end, which botocore keeps for longer than some servers say."""
    found._known._expiry_time = datetime.now(UTC) + timedelta(minutes=minutes)


def program(*words: str | Path) -> str:
    return f"[default]\ncredential_process = {' '.join(map(str, words))}\n"


def of_machine(server: CredentialServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)


def of_container(server: CredentialServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/container")


def of_web_identity(server: CredentialServer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = Path(os.environ["HOME"]) / "token"
    token.write_text("who I am")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/files")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


servers = pytest.mark.parametrize("set_up", [of_machine, of_container, of_web_identity])


def test_the_environment_has_keys(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "c")
    found = chain()
    assert found.ready is None
    assert found.current() == found.ready == ("a", "b", "c")


def test_a_profile_of_the_shared_file_has_keys() -> None:
    lines = "[default]\n{0} = 1\n{1} = 2\n[ftp]\n{0} = a\n{1} = b\n"
    text = lines.format("aws_access_key_id", "aws_secret_access_key")
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text(text)
    assert chain("ftp").current() == ("a", "b", None)
    assert chain().current() == ("1", "2", None)
    with pytest.raises(S3Failure, match="ProfileNotFound"):
        chain("none").current()


def test_a_program_gives_keys(tmp_path) -> None:
    keys = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
    (tmp_path / "keys").write_text(json.dumps(keys))
    set_config(program("/bin/cat", tmp_path / "keys"))
    assert chain().current() == ("a", "b", "c")


@servers
def test_a_server_gives_keys(server, monkeypatch, set_up) -> None:
    set_up(server, monkeypatch)
    found = chain()
    assert found.ready is None
    assert found.current() == found.ready == ("key1", "secret1", "token1")
    assert (found.current(), server.given) == (("key1", "secret1", "token1"), 1)


def test_keys_for_a_web_identity_are_renewed(server, monkeypatch) -> None:
    of_web_identity(server, monkeypatch)
    seconds = [0.0]
    found = CredentialChain(Session(), lambda: seconds[0])
    server.minutes = 5.0
    assert found.current().access_key == "key1"
    assert found.ready is None
    server.minutes = 60.0
    seconds[0] += credential_chain.PAUSE_SECONDS
    assert found.current() == found.ready == ("key2", "secret2", "token2")


@pytest.mark.parametrize("set_up", [of_machine, of_container])
def test_keys_are_renewed_before_they_end(server, monkeypatch, set_up) -> None:
    set_up(server, monkeypatch)
    seconds = [0.0]
    found = CredentialChain(Session(), lambda: seconds[0])
    assert found.current() == found.ready == ("key1", "secret1", "token1")
    end_in(found, 5.0)
    assert found.ready is None
    seconds[0] += credential_chain.PAUSE_SECONDS
    assert found.current() == found.ready == ("key2", "secret2", "token2")
    assert (found.current(), server.given) == (("key2", "secret2", "token2"), 2)


@servers
def test_keys_that_are_valid_for_minutes_are_used_while_no_answer_comes(
    server, monkeypatch, set_up
) -> None:
    set_up(server, monkeypatch)
    seconds = [0.0]
    found = CredentialChain(Session(), lambda: seconds[0])
    assert found.current().access_key == "key1"
    end_in(found, 12.0)
    seconds[0] += credential_chain.PAUSE_SECONDS
    server.answers.clear()
    assert found.ready is None
    assert found.current().access_key == "key1"


@servers
def test_a_server_that_does_not_answer_delays_a_call_for_a_limited_time(
    server, monkeypatch, set_up
) -> None:
    set_up(server, monkeypatch)
    monkeypatch.setattr(credential_chain, "FIND_SECONDS", 0.2)
    server.answers.clear()
    found, began = chain(), time.monotonic()
    with pytest.raises(S3Failure, match=r"no credentials( within 0\.2 s|: set)"):
        found.current()
    assert time.monotonic() - began < 4
    server.answers.set()
    monkeypatch.setattr(credential_chain, "FIND_SECONDS", 60.0)
    monkeypatch.setattr(credential_chain, "PAUSE_SECONDS", 0.0)
    while True:  # botocore may give its first try up
        try:
            assert found.current().access_key.startswith("key")
            break
        except S3Failure as failure:
            assert time.monotonic() - began < 60, failure


def test_keys_that_come_later_than_the_service_are_found(server, monkeypatch) -> None:
    of_machine(server, monkeypatch)
    seconds = [0.0]
    found = CredentialChain(Session(), lambda: seconds[0])
    server.refuses = True
    for _ in range(2):
        with pytest.raises(S3Failure, match="no credentials: set AWS_ACCESS_KEY_ID"):
            found.current()
    server.refuses = False
    with pytest.raises(S3Failure, match="NoCredentials"):  # not asked again so soon
        found.current()
    seconds[0] += credential_chain.PAUSE_SECONDS
    assert found.current().access_key == "key1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("/nowhere/program",), "FileNotFoundError"),
        (("/bin/echo", "no JSON"), "JSONDecodeError"),
        (("/bin/echo", "[]"), "AttributeError"),
        ((sys.executable, "-c", "exit('why')"), "why"),
    ],
)
def test_what_a_program_does_wrong_is_told_in_a_line(words, told) -> None:
    set_config(program(*(f'"{word}"' for word in words)))
    with pytest.raises(S3Failure, match=told) as caught:
        chain().current()
    detail = storage_error(caught.value, ROOT).detail
    assert "credential_process" in detail
    assert "\n" not in detail


def test_a_program_that_does_not_end_delays_a_call_for_a_limited_time(
    monkeypatch, tmp_path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(credential_chain, "FIND_SECONDS", 0.2)
    set_config(program("/bin/cat", pipe))
    found = chain()
    for _ in range(2):
        with pytest.raises(S3Failure, match=r"CredentialsTimeout no credentials within 0\.2 s"):
            found.current()
    keys = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}
    pipe.write_text(json.dumps(keys))  # now it ends
    monkeypatch.setattr(credential_chain, "FIND_SECONDS", 60.0)
    assert found.current() == ("a", "b", None)

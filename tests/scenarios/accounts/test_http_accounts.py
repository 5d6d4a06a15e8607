"""Accounts of an HTTP service: what it answers, and what counts as no answer."""

import json
import sys
import time
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.account_store import IPeerAccountLookup, StoreUnavailable
from ftpservice.accounts.external.http_accounts import HTTPAccounts
from ftpservice.accounts.external.http_client import ANSWER_SECONDS
from ftpservice.accounts.external.http_settings import http_settings
from ftpservice.admin.cli import ftpservice
from ftpservice.storage.rights import PRESETS
from tests.support.account_service import LOGIN_SECONDS, AccountService, check_account_terms
from tests.support.certificates import Authority
from tests.support.http_accounts import TOKEN
from tests.support.service_process import BUSY_SECONDS, CHECKOUT, Program

SERVER = [sys.executable, "-m", "tests.support.http_accounts"]


class Server(Program):
    """A running server; ``url`` is its address."""

    def __init__(self, certificate=""):
        super().__init__([*SERVER, *filter(None, [str(certificate)])], CHECKOUT)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.line('port ([0-9]+)')[1]}"

    def change(self, **accounts):
        with urlopen(f"{self.url}/change", json.dumps(accounts).encode()) as answer:
            assert answer.read() == b"{}"

    def asked(self):
        with urlopen(f"{self.url}/asked", b"") as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


def accounts(url, *settings):
    return HTTPAccounts(http_settings(f"{url}#{'&'.join(settings)}"))


@pytest.fixture
def good(server, token):
    return accounts(f"{server.url}/login", f"token-file={token}", "watch=on")


def test_the_accounts_are_a_lookup(good):
    assert verifyObject(IPeerAccountLookup, good)
    assert good.reach() is None
    assert good.warnings() == []


def test_the_answer_decides(good):
    ann = good.look_up("Ann", b"ann pass")
    assert (ann.record.name, ann.record.root, ann.record.quota_bytes) == ("ann", "/ann", 10 << 20)
    ben = good.look_up("ben", b"ben pass")
    assert (ben.record.rights, len(ben.record.networks)) == (PRESETS["read"], 2)
    assert good.look_up("cat", b"cat pass").record.disabled
    wrong = good.look_up("ann", b"wrong")
    assert (wrong.record.name, wrong.is_right, wrong.unusable) == ("ann", False, "")
    unknown = good.look_up("zed", b"ann pass")
    assert (unknown.record, unknown.is_right) == (None, False)


@pytest.mark.parametrize("password", [b"", b"\xff", b"\0", b'"}', "é".encode()])
def test_no_password_makes_the_service_unavailable(good, password):
    assert good.look_up("ann", password).is_right is False


def test_the_service_is_told_how_the_client_is_connected(good):
    peer = PeerCredentials(b"", b"", "192.0.2.1", secured=True)
    assert good.look_up_from("ann", b"ann pass", peer).is_right


def test_accounts_are_shown_without_a_password(good):
    found = good.look_up("ann", None)
    assert (found.record.name, found.is_right) == ("ann", None)
    assert good.look_up("zed", None).record is None
    assert good.current({"ann", "zed"}).keys() == {"ann"}


@pytest.mark.parametrize(
    "path",
    [
        *("garbage", "list", "deep", "empty", "both", "huge", "hanging", "trickling"),
        *(
            f"status?code={code}"
            for code in (201, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503)
        ),
    ],
)
def test_any_other_answer_means_that_the_service_is_down(server, path):
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        accounts(f"{server.url}/{path}", "rights=full").look_up("ann", b"ann pass")
    assert time.monotonic() - began < ANSWER_SECONDS + BUSY_SECONDS
    assert "ann pass" not in str(caught.value)


def test_a_wrong_token_is_no_wrong_password(server, tmp_path):
    (tmp_path / "token").write_text("other\n")
    with pytest.raises(StoreUnavailable, match="status 401"):
        accounts(f"{server.url}/login", f"token-file={tmp_path / 'token'}").look_up("ann", b"x")


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ({"root": "/ann"}, "names no rights"),
        ({"rights": "everything"}, "everything"),
        ({"rights": "full", "quota": "much"}, "quota=much"),
        ({"rights": "full", "quotas": "1G"}, "unknown key 'quotas'"),
        ({"rights": "full", "root": "/../etc"}, "contains '..'"),
        ({"rights": "full", "root": 7.5}, "'root' is a string"),
        ({"rights": "full", "tls": True}, "'tls' is a string"),
        ({"rights": "full", "disabled": "no"}, "true or false"),
        ({"rights": "full", "name": "../ben"}, "cannot be the name"),
        ({"rights": "full", "name": 7}, "'name' is no string"),
        ({"rights": "full", "max-sessions": [1, 2]}, "several values"),
        ({"rights": "full", "from": ["::1", None]}, "'from' is a string"),
        ({"rights": "full", "disabled": [None]}, "true or false"),
        ({"rights": "full", "quotas": None}, "unknown key 'quotas'"),
        *(
            ({"rights": "full", key: empty}, f"'{key}' is empty; leave it out")
            for key in ("from", "rights", "root", "mount", "quota", "hours", "disabled")
            for empty in ([], "", [" "])
        ),
        ({"rights": "full", "groups": [""]}, "'groups' is empty"),
    ],
)
def test_an_account_that_is_not_understood_is_unusable(server, account, problem):
    found = accounts(f"{server.url}/account?json={quote(json.dumps(account))}").look_up(
        "ann", b"ann pass"
    )
    assert problem in found.unusable
    assert found.record.disabled


def test_null_and_no_groups_lift_no_limit_of_the_settings(server):
    nothing = dict.fromkeys(("from", "rights", "root", "quota", "mount", "hide", "disabled"))
    settings = ("rights=read", "root=/{user}", "from=::1", "quota=10M", "hide=.git")
    url = f"{server.url}/account?json={quote(json.dumps({**nothing, 'groups': []}))}"
    found = accounts(url, *settings).look_up("ann", b"ann pass")
    assert found.unusable == ""
    record = found.record
    assert (record.root, record.rights, record.quota_bytes) == ("/ann", PRESETS["read"], 10 << 20)
    assert (len(record.networks), record.hidden_names) == (1, (".git",))


def test_an_answer_names_groups_of_the_settings(server):
    def answered(account):
        group = "define-group=@staff:*:/people/{user}:read:quota=10M"
        url = f"{server.url}/account?json={quote(json.dumps(account))}"
        return accounts(url, group, "max-sessions=2").look_up("ann", b"ann pass")

    ann = answered({"groups": ["staff"]}).record
    assert (ann.root, ann.rights, ann.quota_bytes) == ("/people/ann", PRESETS["read"], 10 << 20)
    assert ann.max_sessions == 2
    assert answered({"groups": "staff", "rights": "full"}).record.rights == PRESETS["full"]
    gone = answered({"groups": ["staff", "gone"], "rights": "full"})
    assert gone.unusable == "the group 'gone' does not exist: define it with define-group"
    assert gone.record.disabled


def test_tls_is_verified(tmp_path, token):
    authority = Authority(tmp_path)
    with Server(authority.certificate("server")) as server:
        settings = (f"token-file={token}", f"ca={authority.path}")
        assert accounts(f"{server.url}/login", *settings).look_up("ann", b"ann pass").is_right
        other = f"ca={Authority(tmp_path, 'other').path}"
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            accounts(f"{server.url}/login", other).look_up("ann", b"ann pass")
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(StoreUnavailable, match="not valid for 'localhost'"):
            accounts(f"{url}/login", *settings).look_up("ann", b"ann pass")


def test_patterns_hours_the_umask_and_text_come_with_the_answer(tmp_path, token):
    account = {"root": "/ann", "rights": "full", "hide": [".git", "*.tmp"], "refuse": "*.exe"}
    account |= {"umask": "027", "ascii": "off", "hours": ["Mon-Sun 00:00-24:00 UTC"]}
    with Server() as server:
        server.change(ann=account)
        store = f"http:{server.url}/login#token-file={token}&watch=on"
        with AccountService(tmp_path, [store]) as service:
            check_account_terms(
                service, lambda hours: server.change(ann=account | {"hours": hours})
            )


def test_a_service_with_accounts_by_http(tmp_path, token):
    with Server() as server:
        settings = f"token-file={token}&root=/{{user}}&watch=on"
        store = f"http:{server.url}/login#{settings}"
        with AccountService(tmp_path, [store]) as service:
            assert service.reply("ann", "wrong").startswith("530")
            assert service.reply("cat", "cat pass").startswith("530")
            assert "OK ftpservice" in service.simple_answer("ben", "ben pass")
            assert server.asked()[-1] == {
                "action": "login",
                "name": "ben",
                "password": "ben pass",
                "peer": "127.0.0.1",
                "protocol": "simple",
                "secured": False,
            }
            with service.login("ann", "ann pass") as ann, service.login("ben", "ben pass") as ben:
                server.change(ann={"rights": "full", "disabled": True})
                ann.sock.settimeout(10.0)
                assert ann.file.readline().startswith("421 The account is no longer in force")
                assert ben.voidcmd("NOOP").startswith("200")
            assert service.reply("ann", "ann pass").startswith("530")
            server.process.kill()
            server.process.wait()
            code, seconds = service.timed_reply("ben", "ben pass")
            assert (code, seconds < LOGIN_SECONDS) == ("421", True)
            service.stopped()
            for secret in ("ann pass", "ben pass", "cat pass", TOKEN):
                assert secret not in service.output
            assert "Traceback" not in service.output


@pytest.mark.parametrize("watch", ["on", "off"])
def test_accounts_are_not_listed_and_the_command_says_why(server, token, watch):
    store = f"http:{server.url}/login#token-file={token}&watch={watch}"
    done = CliRunner().invoke(ftpservice, ["user", "list", "--json", "--store", store])
    assert (done.exit_code, done.stdout) == (1, "")
    message = json.loads(done.stderr)["error"]["message"]
    assert "accounts cannot be listed: the HTTP service is asked for single names only" in message
    assert ("user show NAME" in message) is (watch == "on")

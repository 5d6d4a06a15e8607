"""``ftpservice user import``: every format, what is lost, all or nothing, hostile files."""

import cProfile
import json
import shlex
import subprocess
from dataclasses import replace

import pytest
from click.testing import CliRunner

from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.password_hash import verify
from ftpservice.admin.cli import ftpservice
from ftpservice.admin.store_options import open_store
from ftpservice.storage.rights import PRESETS, Right
from tests.accounts.doubles import SECRET
from tests.support.docs_pages import blocks
from tests.support.postgresql import PASSWORD

BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
"""Of "secret"."""
PASSWD = f"ann:{BCRYPT}:1000:1000:Ann:/home/ann:/bin/bash\n"


class Importer:
    """Imports texts into one store."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "passwd.db"
        self.store = PasswordFileStore(str(self.path))

    def run(self, text, *words):
        source = self.directory / "source"
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        command = ["user", "import", str(source), "--store", f"passwd:{self.path}", *words]
        return CliRunner().invoke(ftpservice, command)

    def do(self, text, *words):
        done = self.run(text, *words)
        assert done.exit_code == 0, done.output
        return done

    def only(self, text, *words):
        self.do(text, *words)
        [record] = self.store.accounts()
        return record


@pytest.fixture
def importer(tmp_path):
    return Importer(tmp_path)


def openssl(kind, password="secret"):
    words = ["openssl", "passwd", kind, password]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_a_proftpd_file(importer):
    text = "".join(
        f"user{kind}:{openssl(kind)}:1001:1001::/srv/ftp/user{kind}:/sbin/nologin\n"
        for kind in ("-1", "-5", "-6", "-apr1")
    )
    importer.do(text, "--service-root", "/srv/ftp")
    records = importer.store.accounts()
    assert [record.root for record in records] == ["/user-1", "/user-5", "/user-6", "/user-apr1"]
    assert all(verify(record.password_hash, b"secret") for record in records)
    assert not any(record.disabled for record in records)


def test_a_home_outside_of_the_service_is_a_storage(importer):
    assert importer.only(PASSWD, "--service-root", "/srv").root == "local:/home/ann"


def test_a_passwd_file_with_its_shadow_file(importer, tmp_path):
    shadow = tmp_path / "shadow"
    shadow.write_text(
        f"root:{BCRYPT}:19000:0:99999:7:::\n"
        f"ann:{BCRYPT}:19000:0:99999:7::25000:\n"
        f"ben:!{BCRYPT}:19000:0:99999:7:::\n"
        "cat:*:19000:0:99999:7:::\n"
        f"dan:{BCRYPT}:15000:0:90:7:::\n"
        f"eve:{BCRYPT}:0:0:99999:7:::\n"
        f"fay::19000:0:99999:7:::\n"
    )
    text = "root:x:0:0::/root:/bin/bash\n" + "".join(
        f"{name}:x:1000:1000::/home/{name}:/bin/bash\n"
        for name in ("ann", "ben", "cat", "dan", "eve", "fay", "gus")
    )
    done = importer.do(text, "--format", "passwd", "--shadow", str(shadow))
    locked = {record.name for record in importer.store.accounts() if record.disabled}
    assert locked == {"root", "ben", "cat", "dan", "eve", "fay", "gus"}
    assert importer.store.find("ann").expires.isoformat() == "2038-06-12"
    assert verify(importer.store.find("ben").password_hash, b"secret")
    for line in (
        "line 1: root: locked: uid 0",
        "line 3: ben: locked: its password is locked",
        "line 4: cat: locked: it has no password",
        "line 5: dan: locked: its password has expired",
        "line 6: eve: locked: its password must be changed",
        "line 7: fay: locked: it has an empty password",
        "line 8: gus: locked: its password is in the shadow file",
        "uid, gid and comment",
    ):
        assert line in done.stderr


def test_a_pureftpd_file(importer):
    line = (
        f"joe:{BCRYPT}:1000:1000::/home/joe/./:51200:102400:1:5:3:1000:10485760"
        ":::192.168.1.0/24,10.0.0.1:192.168.1.0/25:\n"
    )
    record = importer.only(line)
    assert (record.rate_up, record.rate_down, record.max_sessions) == (51200, 102400, 3)
    assert (record.quota_files, record.quota_bytes) == (1000, 10485760)
    assert [str(network) for network in record.networks] == ["192.168.1.128/25", "10.0.0.1/32"]
    assert not record.disabled


@pytest.mark.parametrize(
    ("text", "hours"),
    [("900-1730", "09:00-17:31"), ("2200-559", "22:00-06:00"), ("0-2359", "00:00-24:00")],
)
def test_the_hours_of_pureftpd_contain_their_last_minute(importer, text, hours):
    line = f"joe:{BCRYPT}:1000:1000::/home/joe/./::::::::::::{text}\n"
    record = importer.only(line, "--format", "pureftpd")
    assert (str(record.hours), record.disabled) == (hours, False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (":::::::127.0.0.1:::", "addresses of the server"),
        (":::::::::host.example::", "addresses cannot be represented"),
        (":::::::::10.0.0.0/8:10.0.0.0/7:", "no address is left"),
        (":::::::::::900-1860", "hours of logins (900-1860)"),
        (":::::::::::900-2500", "hours of logins (900-2500)"),
        (":::::::::::always", "expected hours such as 0900-1730"),
        (":::::0::::::", "quota is 0 files"),
    ],
)
def test_what_pureftpd_restricts_otherwise_locks(importer, fields, reason):
    line = f"joe:{BCRYPT}:1000:1000::/home/joe/./:{fields}\n"
    done = importer.do(line, "--format", "pureftpd")
    assert importer.store.find("joe").disabled
    assert "line 1: joe: locked: " in done.stderr
    assert reason in done.stderr


def test_an_htpasswd_file_needs_a_root(importer):
    text = f"ann:{openssl('-apr1')}\nben:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
    assert "give --root" in importer.run(text).stderr
    importer.do(text, "--root", "/web/{user}", "--rights", "read")
    ann, ben = importer.store.accounts()
    assert (ann.root, ben.root, ann.rights) == ("/web/ann", "/web/ben", PRESETS["read"])
    assert verify(ann.password_hash, b"secret")
    assert verify(ben.password_hash, b"secret")


def dump(**values):
    user = {
        "username": "ann",
        "password": BCRYPT,
        "home_dir": "/srv/ann",
        "status": 1,
        "permissions": {"/": ["*"]},
        "filters": {},
        "filesystem": {"provider": 0},
    }
    return json.dumps({"users": [user | values], "admins": [{"username": "admin"}]})


def test_a_user_of_sftpgo(importer):
    record = importer.only(
        dump(
            permissions={"/": ["list", "download", "upload", "overwrite", "chmod", "copy"]},
            expiration_date=1_900_000_000_000,
            max_sessions=2,
            quota_size=10_000_000,
            quota_files=50,
            upload_bandwidth=100,
            download_bandwidth=200,
            filters={"allowed_ip": ["10.0.0.0/8"], "ftp_security": 1},
        )
    )
    assert record.rights == PRESETS["read"] | {Right.CREATE, Right.OVERWRITE, Right.APPEND}
    assert (record.max_sessions, record.rate_up, record.rate_down) == (2, 102400, 204800)
    assert (record.quota_bytes, record.quota_files) == (10_000_000, 50)
    assert str(record.networks[0]) == "10.0.0.0/8"
    assert record.expires.isoformat() == "2030-03-16"
    assert record.tls_required
    assert not record.disabled


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": 0}, "it is disabled"),
        ({"permissions": {"/": ["*"], "/a*": ["list"]}}, "it is a pattern of paths"),
        ({"permissions": {"/": ["*"], "/a:b": ["list"]}}, "permissions in /a:b are not carried"),
        ({"permissions": {"/": ["*"], "/in": ["list"], "/in/": ["*"]}}, "are given twice"),
        ({"filters": {"denied_protocols": ["FTP"]}}, "FTP is refused"),
        ({"filters": {"denied_login_methods": ["password"]}}, "logins by password are refused"),
        ({"filters": {"two_factor_protocols": ["FTP"]}}, "second factor"),
        (
            {"filters": {"file_patterns": [{"path": "/", "allowed_patterns": ["*.jpg"]}]}},
            "the file patterns allowed in / are not carried over",
        ),
        (
            {"filters": {"file_patterns": [{"path": "/", "denied_patterns": ["[!a]"]}]}},
            "the pattern '[!a]' cannot be represented",
        ),
        (
            {"filters": {"file_patterns": [{"path": "/", "denied_patterns": ["a;b"]}]}},
            "the pattern 'a;b' cannot be represented",
        ),
        ({"filters": {"access_time": [{"day_of_week": 1}]}}, "hours of logins (Mon -)"),
        (
            {"filters": {"access_time": [{"day_of_week": 9, "from": "08:00", "to": "09:00"}]}},
            "is not a day",
        ),
        ({"filters": {"is_anonymous": True}}, "anonymous"),
        ({"filters": {"new_rule": ["x"]}}, "filters.new_rule is not known"),
        ({"groups": [{"name": "staff", "type": 1}]}, "settings of its group 'staff'"),
        ({"filesystem": {"provider": 1}}, "not in a plain directory"),
        ({"password": ""}, "no password"),
        ({"password": "plain"}, "not a hash of a known kind"),
    ],
)
def test_what_sftpgo_restricts_otherwise_locks(importer, values, reason):
    done = importer.do(dump(**values))
    assert importer.store.find("ann").disabled
    assert "user 1: ann: locked: " in done.stderr
    assert reason in done.stderr
    assert "admins of SFTPGo (1) are not carried over" in done.stderr
    assert "plain\n" not in done.output


def test_permissions_of_directories_and_file_patterns_of_sftpgo(importer):
    patterns = [
        {"path": "/", "denied_patterns": ["*.exe", ".git"], "deny_policy": 1},
        {"path": "/in", "denied_patterns": ["*.exe", "x?"], "deny_policy": 1},
    ]
    days = [{"day_of_week": day, "from": "08:00", "to": "18:00"} for day in (1, 2, 3)]
    days.append({"day_of_week": 0, "from": "00:00", "to": "23:59"})
    record = importer.only(
        dump(
            permissions={"/": ["*"], "/in": ["upload", "create_dirs"], "/no": [], "/old": ["list"]},
            filters={"file_patterns": patterns, "access_time": days},
        )
    )
    assert str(record.hours) == "Mon-Wed 08:00-18:00 UTC; Sun 00:00-24:00"
    assert record.rights == PRESETS["full"]
    assert [str(one) for one in record.directory_rights] == [
        "/in: create,mkdir",
        "/no: none",
        "/old: list",
    ]
    assert record.hidden_names == ("*.exe", ".git", "x?")
    assert not record.disabled


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"permissions": {"/": ["list"], "/in": ["*"]}}, "links are no longer followed"),
        ({"permissions": {"/": ["*"], "/in": ["list", "chown"]}}, "the permissions chown in /in"),
        (
            {"filters": {"file_patterns": [{"path": "/in", "denied_patterns": ["*.exe"]}]}},
            "the file patterns denied in /in now hold in all directories",
        ),
        (
            {"filters": {"file_patterns": [{"path": "/", "denied_patterns": ["*.exe"]}]}},
            "were listed, and are hidden now",
        ),
        ({"permissions": {"/": ["list", "chmod"]}}, "the permissions chmod"),
        ({"virtual_folders": [{"virtual_path": "/v"}]}, "virtual folders /v"),
        ({"public_keys": ["ssh-rsa x"]}, "not carried over: public_keys"),
        (
            {"filters": {"access_time": [{"day_of_week": 0, "from": "08:00", "to": "09:00"}]}},
            "its hours of logins are read as UTC: Sun 08:00-09:00",
        ),
        ({"filters": {"max_upload_file_size": 5}}, "filters.max_upload_file_size"),
        ({"filters": {"denied_ip": ["10.0.0.1/32"]}}, "refused addresses"),
    ],
)
def test_what_is_lost_is_reported(importer, values, warning):
    done = importer.do(dump(**values))
    assert warning in done.stderr
    assert not importer.store.find("ann").disabled


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, '{"users": 3}', '[{"username": 3}]', "{}", "", "\n", "a:b:c\n"]
)
def test_what_is_no_account_file_imports_nothing(importer, text):
    assert importer.run(text).exit_code == 1
    assert not importer.path.exists()


@pytest.mark.parametrize("line", ["ann:$1$x:1:1\n", "ann:x:1:1::/home/ann:" + ":" * 20 + "\n"])
def test_an_only_line_that_is_malformed_is_told(importer, line):
    """As of a file of Pure-FTPd."""
    said = importer.run(line).stderr
    assert f"line 1 is malformed or of another program, as it has {line.count(':') + 1} " in said
    assert "choose the format with --format" in said
    assert "$1$" not in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ben:x:1\n", "fields between colons"),
        (PASSWD, "it is in line 1 already"),
        ("b\0n:x:1:1::/home/b:/bin/sh\n", "control character"),
        ("x" * 100_000 + "\n", "longer than"),
        (":x:1:1::/home/b:/bin/sh\n", "the name is empty"),
        ("ben:x:1:1::home:/bin/sh\n", "not an absolute path"),
        ("ben:x:1:1::/home/../etc:/bin/sh\n", "contains '..'"),
        ("ben:x:y:1::/home/ben:/bin/sh\n", "the uid"),
        ("+::::::\n", "NIS"),
    ],
)
def test_one_bad_line_stops_all_unless_told_otherwise(importer, line, reason):
    done = importer.run(PASSWD + line, "--format", "passwd")
    assert done.exit_code == 1
    assert "line 2: " in done.stderr
    assert reason in done.stderr
    assert not importer.path.exists() or importer.store.accounts() == ()
    assert importer.run(PASSWD + line, "--format", "passwd", "--keep-going").exit_code == 1
    assert [record.name for record in importer.store.accounts()] == ["ann"]


def test_accounts_that_exist(importer):
    importer.do(PASSWD)
    other = PASSWD.replace("/home/ann", "/home/other") + PASSWD.replace("ann", "ben")
    before = importer.path.read_bytes()
    done = importer.run(other)
    assert done.exit_code == 1
    assert "line 1: ann: exists in" in done.stderr
    assert importer.path.read_bytes() == before
    importer.do(other, "--skip-existing")
    assert [found.root for found in importer.store.accounts()] == [
        "local:/home/ann",
        "local:/home/ben",
    ]
    importer.do(other, "--replace")
    assert importer.store.find("ann").root == "local:/home/other"
    assert importer.run(other, "--replace", "--skip-existing").exit_code == 2
    assert importer.run(other + PASSWD.replace("ann", "cat"), "--keep-going").exit_code == 1
    assert importer.store.find("cat")


def test_a_dry_run_changes_nothing_and_says_the_same(importer):
    done = importer.do(PASSWD, "--dry-run", "--json")
    assert json.loads(done.stdout)["imported"] == [
        {"name": "ann", "place": "line 1", "locked": [], "warnings": []}
    ]
    assert not importer.path.exists()


def test_another_file_is_given_up_early(importer):
    done = importer.run("nonsense\n" * 5000, "--format", "passwd")
    assert done.exit_code == 1
    assert "more than 1000 accounts cannot be used" in done.stderr


def test_a_line_of_64_megabytes(importer):
    done = importer.run(b"a" * 2**26 + b"\n", "--format", "htpasswd")
    assert done.exit_code == 1
    assert "longer than" in done.stderr


@pytest.mark.no_cover
def test_many_accounts_take_few_calls_each(importer):
    text = "".join(PASSWD.replace("ann", f"user{number}") for number in range(2_000))
    profile = cProfile.Profile()
    done = profile.runcall(importer.do, text)
    assert "2000 accounts imported" in done.stdout
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < 2_000 * 1000  # about 425 of functions for each account


def group_dump(settings, **values):
    """A dump with the user ann, whose primary group is staff."""
    given = json.loads(dump(groups=[{"name": "staff", "type": 1}], **values))
    return json.dumps({**given, "groups": [{"name": "staff", "user_settings": settings}]})


SETTINGS = {
    "home_dir": "/srv/ftp/%username%",
    "max_sessions": 3,
    "quota_size": 1000,
    "permissions": {"/": ["list", "download"]},
    "filters": {"ftp_security": 1},
}


def test_a_primary_group_of_sftpgo_becomes_a_group(importer):
    done = importer.do(group_dump(SETTINGS, max_sessions=7), "--service-root", "/srv/ftp")
    assert "1 account and 1 group imported" in done.stdout
    [group] = importer.store.groups()
    assert (group.name, group.root, group.disabled) == ("@staff", "/{user}", False)
    record = importer.store.find("ann")
    assert (record.root, record.rights, record.groups) == ("/ann", PRESETS["read"], ("staff",))
    assert (record.max_sessions, record.quota_bytes, record.tls_required) == (7, 1000, True)
    assert not record.disabled
    assert dict(record.inherited)["rights"] == "staff"
    importer.do(group_dump(SETTINGS | {"max_sessions": 4}), "--replace", "--root", "/r/{user}")
    record = importer.store.find("ann")
    assert (record.root, record.max_sessions) == ("/r/ann", 4)


@pytest.mark.parametrize(
    ("settings", "values", "reason"),
    [
        ({"filters": {"denied_protocols": ["FTP"]}}, {}, "@staff: locked: FTP is refused"),
        ({"expires_in": 5}, {}, "@staff: locked: the time after which its users expire"),
        ({"filesystem": {"provider": 1}}, {}, "@staff: locked: its files are not in a plain"),
        ({"home_dir": "/srv/%role%"}, {}, "ann: locked: the settings of its group 'staff'"),
        (
            {"permissions": {"/in": ["list"]}},
            {},
            "'staff' of SFTPGo is not carried over: it has no",
        ),
        (
            {"filters": {"denied_ip": ["10.0.0.1/32"]}},
            {"filters": {"allowed_ip": ["10.0.0.0/8"]}},
            "ann: locked: its addresses and those of its group 'staff' cannot be combined",
        ),
        (
            {"permissions": {"/": ["upload"], "/x": ["list"]}},
            {"permissions": {"/": ["list"]}},
            "ann: locked: its permissions and those of its group",
        ),
    ],
)
def test_a_group_of_sftpgo_that_restricts_otherwise_locks(importer, settings, values, reason):
    done = importer.do(group_dump(settings, **values))
    assert importer.store.find("ann").disabled
    assert reason in done.stderr


def test_permissions_are_those_that_a_user_and_its_group_have(importer):
    own = {"/": ["list", "upload"]}
    record = importer.only(group_dump(SETTINGS, permissions=own), "--service-root", "/srv/ftp")
    assert record.rights == {Right.LIST}
    assert record.root == "/ann"


def test_groups_of_sftpgo_without_settings_and_secondary_ones(importer):
    given = json.loads(dump(groups=[{"name": "a", "type": 1}, {"name": "b", "type": 3}]))
    done = importer.do(json.dumps({**given, "groups": [{"name": "a", "user_settings": {}}]}))
    assert "membership in the group 'a' is not carried over" in done.stderr
    assert not importer.store.find("ann").disabled
    given = json.loads(dump(groups=[{"name": "a", "type": 2}]))
    settings = [{"name": "a", "user_settings": {"max_sessions": 2}}]
    importer.do(json.dumps({**given, "groups": settings}), "--replace")
    assert importer.store.find("ann").disabled


@pytest.mark.parametrize("name", ["..", "a/b", "@x"])
def test_a_user_whose_name_cannot_be_put_into_the_home_of_its_group(importer, name):
    done = importer.run(group_dump(SETTINGS, username=name), "--service-root", "/srv/ftp")
    assert done.exit_code == 1
    assert "cannot be put into '/{user}'" in done.stderr or "is that of a group" in done.stderr
    assert not importer.path.exists()


@pytest.mark.parametrize("groups", [5, [5], [{}], [{"name": "../x"}], [{"name": "a"}] * 2])
def test_groups_that_are_none(importer, groups):
    done = importer.do(json.dumps({**json.loads(dump()), "groups": groups}))
    assert not importer.store.find("ann").disabled
    assert not importer.store.groups()
    assert "Traceback" not in done.output


ALL_OPTIONS = (
    "max-sessions=2,rate-down=20M,rate-up=1000,quota=10G,quota-files=7,expires=2027-01-31,"
    "from=10.0.0.0/8,from=fd00\\:\\:/8,mount=/archive=local\\:/mnt/archive,read-only,tls=required,"
    "tls-cert=login"
)
PASSWD_DB = f"""# name:hash:root:rights:options
ann:{BCRYPT}:/ann:full
ben:{SECRET}:local\\:/srv/ben:list,download; /in\\: upload-only:{ALL_OPTIONS}
cat:{SECRET}:/cat:read:disabled
dan:{SECRET}::inherit:group=staff
@staff:*:/people/{{user}}:read:max-sessions=4
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_accounts_of_a_passwd_db_are_moved_as_documented(tmp_path, monkeypatch, request, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passwd.db").write_text(PASSWD_DB)
    documented = "sql:sqlite:////var/lib/ftpservice/accounts.db"
    chosen = f"sql:sqlite:///{tmp_path}/accounts.db"
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql")
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        chosen = f"sql:{server.url(server.new_database(), None)}"
    [text] = [block.text for block in blocks("sh") if "--format passwd-db" in block.text]
    for line in text.splitlines():
        program, *words = shlex.split(line.replace(documented, chosen))
        done = CliRunner().invoke(ftpservice, words)
        assert (program, done.exit_code, done.stderr) == ("ftpservice", 0, ""), line
    assert "4 accounts and 1 group imported to " in done.stdout
    before = PasswordFileStore("passwd.db").accounts()
    assert [one.root for one in before][2:] == ["/cat", "/people/dan"]
    after = open_store(chosen, None)
    assert [replace(one, line=0) for one in before] == list(after.accounts())
    assert [one.max_sessions for one in after.groups()] == [4]
    after.change("@staff", {"max_sessions": 5})
    assert after.find("dan").max_sessions == 5
    assert verify(before[0].password_hash, b"secret")


def test_a_passwd_db_is_recognized_and_its_accounts_stay_as_they_are(importer):
    importer.do(PASSWD_DB)
    assert [replace(one, line=0) for one in importer.store.accounts()] == [
        replace(one, line=0) for one in parse(PASSWD_DB).accounts.values()
    ]
    for words in (["--root", "/x"], ["--rights", "read"], ["--service-root", "/srv"]):
        done = importer.run(PASSWD_DB, *words)
        assert done.exit_code == 2
        assert f"{words[0]}: the accounts of a passwd.db stay as they are" in done.stderr


def test_unusable_lines_of_a_passwd_db_are_named(importer):
    bad = PASSWD_DB + f"ann:{SECRET}:/:full\neli:{SECRET}:/:everything\n"
    done = importer.run(bad, "--format", "passwd-db")
    assert done.exit_code == 1
    assert "line 7: ann: 'ann' is in line 2 already" in done.stderr
    assert "line 8: eli: " in done.stderr
    assert not importer.path.exists()
    importer.run(bad, "--format", "passwd-db", "--keep-going")
    assert len(importer.store.accounts()) == 4


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ("noabs", "the root 'noabs' is neither a path"),
        ("nosuch:/x", "unknown storage 'nosuch:'"),
        ("/{foo}", "'{foo}' in '/{foo}' is not known"),
        ("/{group}", "needs a group"),
    ],
)
def test_a_root_that_cannot_work_is_refused_at_once(importer, root, text):
    done = importer.run(f"ann:{BCRYPT}\n", "--root", root)
    assert (done.exit_code, text in done.stderr) == (2, True), done.stderr


def test_an_unknown_storage_in_a_passwd_db_is_a_problem(importer):
    done = importer.run(f"ann:{SECRET}:nosuch\\:/x:full\n")
    assert done.exit_code == 1
    assert "line 1: ann: unknown storage 'nosuch:' in 'nosuch:/x'" in done.stderr

"""Lines of ``passwd.db``: what they say, and that a wrong one closes its account only."""

from datetime import date
from ipaddress import ip_network

import pytest
from argon2.low_level import Type, hash_secret
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import FilePasswordDB

from ftpservice.accounts.account_record import AccountRecord, CertificateUse
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.passwd_line import format_line, parse_line
from ftpservice.accounts.terms.login_hours import parse_hours
from ftpservice.backends.mounts.account_mount import AccountMount
from ftpservice.storage.retention_rules import parse_retention
from ftpservice.storage.rights import PRESETS, DirectoryRights, Right

HASH = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()


def test_name_hash_root_and_rights_are_an_account():
    assert parse_line(f"alice:{HASH}:/:full", 3) == AccountRecord("alice", HASH, "/", line=3)


@pytest.mark.parametrize("rest", ["::full", ": :full", "::full:", "::full: "])
def test_an_empty_root_is_the_root_and_empty_options_are_none(rest):
    contents = parse(f"alice:{HASH}{rest}\n")
    assert contents.accounts["alice"] == AccountRecord("alice", HASH, line=1)


@pytest.mark.parametrize("rest", ["", ":", "::", ":::", ":/x", ":/x:", ":/x: :disabled"])
def test_a_line_without_rights_is_malformed(rest):
    with pytest.raises(ValueError, match="the rights are missing"):
        parse_line(f"alice:{HASH}{rest}")


LIMITED = f"scanner:{HASH}:/scans:upload-only:from=10.0.0.1,disabled"


def test_a_line_cut_short_anywhere_opens_nothing():
    for length in range(1, len(LIMITED) + 1):
        contents = parse(f"alice:{HASH}:/:full\n{LIMITED[:length]}")
        assert list(contents.accounts) == ["alice"], LIMITED[:length]
        assert [line.line_number for line in contents.malformed] == [2]


def test_a_last_line_without_a_line_end_is_malformed_and_its_account_closed():
    contents = parse(f"alice:{HASH}:/:full")
    assert str(contents.malformed[0]).startswith("line 1: the last line has no line end")
    assert contents.lookup("alice").disabled


def test_all_fields():
    line = (
        f"alice:{HASH}:/home/alice:read, delete,admin:"
        "max-sessions=5, umask=27,ascii=off, expires=2027-01-31,rate-down=20M, rate-up=300,"
        "quota=10M,quota-files=7,"
        "from=10.0.0.0/8,from=fd00\\:\\:/8,tls=required,tls-cert=login,disabled"
    )
    assert parse_line(line) == AccountRecord(
        name="alice",
        password_hash=HASH,
        root="/home/alice",
        rights=frozenset({Right.LIST, Right.READ, Right.DELETE, Right.ADMIN}),
        max_sessions=5,
        expires=date(2027, 1, 31),
        networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        tls_required=True,
        certificate=CertificateUse.LOGIN,
        disabled=True,
        rate_down=20 * 2**20,
        rate_up=300,
        quota_bytes=10 << 20,
        quota_files=7,
        umask=0o27,
        ascii=False,
    )


def test_in_the_last_field_a_colon_may_stand_plain():
    record = parse_line(f"alice:{HASH}:/:read:from=fd00::/8,disabled")
    assert record.networks == (ip_network("fd00::/8"),)


@pytest.mark.parametrize(
    ("field", "root"),
    [
        (" /alice ", "/alice"),
        ("/people/{user}", "/people/{user}"),
        ("//alice", "/alice"),
        ("/a\\:b", "/a:b"),
        ("/a\\\\", "/a\\"),
        ("/a\\b", "/a\\b"),
        ("local\\:/srv/ftp", "local:/srv/ftp"),
        ("/a b/ü", "/a b/ü"),
    ],
)
def test_a_root_is_a_path_or_a_storage_string(field, root):
    assert parse_line(f"alice:{HASH}:{field}:read").root == root


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("alice", "it has no colon: expected name:hash:root:rights:options"),
        ("alice:", "not a hash of a known kind"),
        ("alice:secret", "not a hash of a known kind"),
        (f":{HASH}", "the name is empty"),
        (f" alice:{HASH}:/:full", "begins or ends with a space"),
        (f"alice :{HASH}", "begins or ends with a space"),
        (f"al\x00ice:{HASH}", "control character"),
        (f"#alice:{HASH}:/:full", "begins with '#', as comments do"),
        (f"al\\:ice:{HASH}", "ends with a backslash"),
        (f"alice:{HASH}:/a/../b:full", "contains '..'"),
        (f"alice:{HASH}:/..:full", "contains '..'"),
        (f"alice:{HASH}:/a/{'ä' * 128}:full", "more than 255 bytes"),
        (f"alice:{HASH}:noabs:full", "the root 'noabs' is neither a path .* nor a storage"),
        (f"alice:{HASH}:none:full", "the root 'none' is neither"),
        (f"alice:{HASH}:/x/{{foo}}:full", "'{foo}' in '/x/{foo}' is not known"),
        ("@staff:*:local\\:/x/{users}", "'{users}' in 'local:/x/{users}' is not known"),
        (f"alice:{HASH}:/:full:mount=/in=/x/{{foo}}", "'{foo}' in '/x/{foo}' is not known"),
        (f"alice:{HASH}:/:full:mount=/{{user}}=/x", "the path '/{user}' cannot have braces"),
        (
            f"alice:{HASH}:/:full:retention=in\\: 7d",
            "neither a directory, which is /in, nor a pattern",
        ),
        (f"alice:{HASH}:/:full:hide=[ab", r"has a '\[' without '\]'"),
        (f"alice:{HASH}:/:full:refuse=ab\\\\", "ends with a backslash"),
        (f"alice:{HASH}:/a\x00b:full", "control character"),
        (f"alice:{HASH}:local:/srv/ftp", "the root 'local' is neither"),
        (f"alice:{HASH}:/:raed", "unknown right 'raed'"),
        (f"alice:{HASH}:/:read,", "unknown right ''"),
        (f"alice:{HASH}:/:read:quote=10G", "unknown option 'quote=10G'"),
        (f"alice:{HASH}:/:read:retention=30", "expected hours, days or weeks"),
        (f"alice:{HASH}:/:read:retention=1d,retention=2d", "given twice"),
        (f"alice:{HASH}:/:read:quota=0", "such as 10M, or 'none' for no limit"),
        (f"alice:{HASH}:/:read:quota=ten", "not a size"),
        (f"alice:{HASH}:/:read:quota-files=0", "a number, 1 or more"),
        (f"alice:{HASH}:/:read:disabled,", "unknown option ''"),
        (f"alice:{HASH}:/:read:disabled:more", "unknown option 'disabled:more'"),
        (f"alice:{HASH}:/:read:disabled=no", "takes no value"),
        (f"alice:{HASH}:/:read:tls=optional", "required"),
        (f"alice:{HASH}:/:read:tls", "required"),
        (f"alice:{HASH}:/:read:tls-cert", "'required' or 'login'"),
        (f"alice:{HASH}:/:read:tls-cert=yes", "'required' or 'login'"),
        (f"alice:{HASH}:/:read:max-sessions=0", "a number, 1 or more"),
        (f"alice:{HASH}:/:read:max-sessions=٣", "a number, 1 or more"),
        (f"alice:{HASH}:/:read:max-sessions=-1", "a number, 1 or more"),
        (f"alice:{HASH}:/:read:expires=soon", "a date such as"),
        (f"alice:{HASH}:/:read:rate-down=0", "or 'none' for no limit"),
        (f"alice:{HASH}:/:read:rate-up=fast", "not a size"),
        (f"alice:{HASH}:/:read:umask=rwx", "not an octal mask"),
        (f"alice:{HASH}:/:read:umask=722", "permissions of the owner"),
        (f"alice:{HASH}:/:read:ascii=yes", "'on' or 'off'"),
        (f"alice:{HASH}:/:read:hide=", "expected patterns of names"),
        (f"alice:{HASH}:/:read:hide=a/b", "for single names"),
        (f"alice:{HASH}:/:read:refuse=*.a,refuse=*.b", "'refuse' is given twice"),
        (f"alice:{HASH}:/:read:expires=2027-02-30", "expires=2027-02-30"),
        (f"alice:{HASH}:/:read:from=10.0.0.1/8", "an address in the network 10.0.0.0/8"),
        (f"alice:{HASH}:/:read:from=here", "from=here"),
        (f"alice:{HASH}:/:read:tls=required,tls=required", "given twice"),
    ],
)
def test_a_malformed_line_is_reported_with_the_reason(line, reason):
    with pytest.raises(ValueError, match=reason):
        parse_line(line)


def test_comments_and_empty_lines_are_ignored():
    contents = parse(f"\ufeff# users\r\n\r\n   \n  # more: stuff\nalice:{HASH}:/:read\r\n\n")
    assert list(contents.accounts) == ["alice"]
    assert contents.accounts["alice"].line == 5
    assert contents.malformed == ()


def test_a_malformed_line_is_reported_by_number_and_disables_its_account_only():
    contents = parse(f"alice:{HASH}:/:full\nbob:{HASH}:/:raed\ncarol:{HASH}:/:full\n")
    assert list(contents.accounts) == ["alice", "carol"]
    [bad] = contents.malformed
    assert str(bad).startswith("line 2: unknown right 'raed'")
    closed = contents.lookup("bob")
    assert closed is not None
    assert closed.disabled
    assert closed.rights == frozenset()
    assert closed.password_hash == contents.decoys.hash_for("bob")
    assert contents.lookup("alice") is contents.accounts["alice"]
    assert contents.lookup("dave") is None


def test_of_two_lines_with_one_name_the_first_counts_and_the_second_is_reported():
    contents = parse(f"alice:{HASH}:/a:read\nbob:{HASH}:/:full\nalice:{HASH}:/:full\n")
    assert list(contents.accounts) == ["alice", "bob"]
    assert contents.lookup("alice").root == "/a"
    [bad] = contents.malformed
    assert str(bad) == "line 3: 'alice' is in line 1 already; the first line counts"


def test_a_wrong_second_line_leaves_the_first_in_force():
    contents = parse(f"alice:{HASH}:/:read\nalice:{HASH}:/:raed\n")
    assert contents.lookup("alice").rights == PRESETS["read"]
    assert [line.line_number for line in contents.malformed] == [2]


def test_a_wrong_first_line_closes_the_account_whatever_follows():
    contents = parse(f"alice:{HASH}:/:raed\nalice:{HASH}:/:full\n")
    assert contents.lookup("alice").disabled
    assert [line.line_number for line in contents.malformed] == [1, 2]


def test_only_a_line_feed_ends_a_line():
    contents = parse(f"alice:{HASH}:/a\u2028bob:read\n")
    assert contents.accounts["alice"].root == "/a\u2028bob"


@given(st.text())
def test_no_text_makes_reading_fail(text):
    parse(text)


@given(st.text(alphabet=":\\,=#ab/\n\r ", max_size=60))
def test_no_line_makes_reading_fail_beyond_its_own_account(text):
    contents = parse(f"zoe:{HASH}:/:full\n{text}")
    assert "zoe" in contents.accounts


def test_twisted_reads_the_first_two_fields(tmp_path):
    path = tmp_path / "passwd.db"
    record = AccountRecord("DOMAIN\\grün", HASH, "local:/x", max_sessions=3)
    path.write_text(f"# comment\n{format_line(record)}\n", "utf-8")
    found = FilePasswordDB(str(path)).getUser("DOMAIN\\grün".encode())
    assert found == ("DOMAIN\\grün".encode(), HASH.encode())


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (AccountRecord("alice", HASH), f"alice:{HASH}:/:full"),
        (
            AccountRecord("a", HASH, "local:/x\\", PRESETS["read"] | {Right.ADMIN}),
            f"a:{HASH}:local\\:/x\\\\:read,admin",
        ),
        (
            AccountRecord("a", HASH, "/", frozenset({Right.DELETE, Right.LIST})),
            f"a:{HASH}:/:delete,list",
        ),
        (
            AccountRecord(
                "a",
                HASH,
                "/x",
                max_sessions=5,
                expires=date(2027, 1, 31),
                networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
                tls_required=True,
                certificate=CertificateUse.REQUIRED,
                disabled=True,
                rate_down=20 * 2**20,
                rate_up=300,
                quota_bytes=10 << 20,
                quota_files=7,
                retention=parse_retention("30d; /in/*.log: 7d; [a\\]*: keep"),
                line=4,
            ),
            f"a:{HASH}:/x:full:from=10.0.0.0/8,from=fd00\\:\\:/8,max-sessions=5,"
            "rate-down=20971520,rate-up=300,quota=10485760,quota-files=7,"
            r"retention=30d; /in/*.log\: 7d; [a\\]*\: keep,expires=2027-01-31,tls=required,"
            "tls-cert=required,disabled",
        ),
    ],
)
def test_an_account_is_formatted_as_a_line(record, line):
    assert format_line(record) == line


@pytest.mark.parametrize(
    "record",
    [
        AccountRecord("a:b", HASH),
        AccountRecord("a", "no hash"),
        AccountRecord("a", HASH, "relative"),
        AccountRecord("a", HASH, "/a\nb"),
        AccountRecord("a", HASH, inherited=(("rights", "staff"),)),
        AccountRecord("@a", HASH),
        AccountRecord("@a", "*", groups=("staff",)),
        AccountRecord("a", HASH, groups=("st/aff",)),
    ],
)
def test_an_account_that_no_line_can_represent_is_refused(record):
    with pytest.raises(ValueError, match=r"."):
        format_line(record)


RECORDS = st.builds(
    AccountRecord,
    name=st.text(alphabet="ab\\ü \udcff", min_size=1).filter(
        lambda name: name == name.strip() and not name.endswith("\\")
    ),
    password_hash=st.just(HASH),
    root=st.text(alphabet=":\\ab, =ü").map(lambda text: "/" + text.strip()),
    rights=st.frozensets(st.sampled_from(Right), min_size=1).map(
        lambda rights: rights | PRESETS["read"] if Right.READ in rights else rights
    ),
    max_sessions=st.none() | st.integers(1, 999),
    expires=st.none() | st.dates(),
    tls_required=st.booleans(),
    certificate=st.none() | st.sampled_from(CertificateUse),
    disabled=st.booleans(),
    umask=st.none() | st.integers(0, 0o77),
    ascii=st.none() | st.booleans(),
    hours=st.none() | st.just(parse_hours("Sat 22:00-06:00 UTC; 08:00-24:00")),
    hidden_names=st.none() | st.just((".git", "*.tmp")),
    refused_names=st.none() | st.tuples(st.sampled_from(["*.exe", "a\\:*", "ü [!a-c];"[:-1]])),
)


@given(RECORDS)
def test_what_is_written_is_read_back(record):
    assert parse_line(format_line(record)) == record


def test_mounts_are_written_as_the_command_takes_them():
    line = r"ann:HASH:/:full:mount=/archive=local\:/mnt/a b\:durable=yes,read-only,mount=/in=/inbox"
    line = line.replace("HASH", HASH)
    record = parse_line(line)
    assert record.mounts == (
        AccountMount("/archive", "local:/mnt/a b:durable=yes", read_only=True),
        AccountMount("/in", "/inbox"),
    )
    assert parse_line(format_line(record)) == record
    with pytest.raises(ValueError, match="two mounts at '/in'"):
        parse_line(line + ",mount=/in/=memory\\:")
    with pytest.raises(ValueError, match="unknown option 'read-only'"):
        parse_line(f"ann:{HASH}:/:full:read-only")


def test_patterns_of_names_are_written_as_the_command_takes_them():
    line = f"ann:{HASH}:/:full:hide=.git;*.tmp , refuse=C\\:\\\\*; ü?.[eE]xe,disabled"
    record = parse_line(line)
    assert record.hidden_names == (".git", "*.tmp")
    assert record.refused_names == ("C:\\*", "ü?.[eE]xe")
    assert record.disabled
    assert parse_line(format_line(record)) == record
    assert "hide=.git; *.tmp,refuse=C\\:\\\\*; ü?.[eE]xe" in format_line(record)


def test_hours_are_written_as_the_command_takes_them():
    hours = "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00".replace(":", "\\:")
    line = f"ann:{HASH}:/:full:hours={hours},disabled"
    record = parse_line(line)
    assert str(record.hours) == "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00"
    assert format_line(record) == line
    with pytest.raises(ValueError, match="the option 'hours=always': expected hours such as"):
        parse_line(f"ann:{HASH}:/:full:hours=always")


def test_rights_to_directories_are_written_as_the_command_takes_them():
    line = f"ann:{HASH}:/:full; /in\\: upload-only; /a b/c\\: list,delete; /x\\: none"
    record = parse_line(line)
    assert record.rights == PRESETS["full"]
    assert record.directory_rights == (
        DirectoryRights("/in", PRESETS["upload-only"]),
        DirectoryRights("/a b/c", frozenset({Right.LIST, Right.DELETE})),
        DirectoryRights("/x", frozenset()),
    )
    assert parse_line(format_line(record)) == record


@pytest.mark.parametrize(
    ("rights", "reason"),
    [
        ("; /in\\: read", "unknown right"),
        ("full; /in: read", "expected the rights to a directory"),
        ("full; in\\: read", "expected the rights to a directory"),
        ("full; /in", "expected the rights to a directory"),
        ("full; /in\\:", "unknown right"),
        ("full; /in\\: reed", "unknown right"),
        ("full; /\\: read", "the rights to / are the first ones"),
        ("full; /in/../x\\: read", "cannot be given for the path"),
        ("full; /in\\: read; /in/\\: full", "given twice"),
        ("full; /in\\: admin", "is one of the account"),
        ("full;", "expected the rights to a directory"),
    ],
)
def test_wrong_rights_to_directories_close_the_account(rights, reason):
    with pytest.raises(ValueError, match=reason):
        parse_line(f"ann:{HASH}:/:{rights}")

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire import facts
from ftpservice.wire.entry import READ, Entry, Kind
from ftpservice.wire.facts import (
    DEFAULT_FACTS,
    FACTS,
    FactFormatter,
    choose_facts,
    feature_line,
    format_facts,
    format_time,
    parse_facts,
    parse_time,
)
from ftpservice.wire.paths import VirtualPath

FILE = Entry("a b;c", Kind.FILE, 3, 1.5, 0o4755, "demo", "users", 1, "1-2", 0.0)
DIRECTORY = Entry("d", Kind.DIRECTORY, 0, 1.5, 0o755)


def formatter(chosen):
    return FactFormatter(chosen, lambda _entry: "adfrw")


def test_facts_are_chosen_whatever_their_spelling():
    assert choose_facts("TYPE;unix.MODE;Size;") == ("type", "size", "UNIX.mode")
    assert choose_facts("size;nonsense;size;type") == ("type", "size")
    assert choose_facts(" type ; size ") == ("type", "size")


@pytest.mark.parametrize("argument", ["", ";", ";;", "nonsense;", " "])
def test_choosing_nothing_gives_none(argument):
    assert choose_facts(argument) == ()


def test_feature_line_names_all_and_stars_the_chosen():
    assert feature_line(("type", "UNIX.mode")) == (
        "type*;size;modify;create;perm;unique;UNIX.mode*;UNIX.owner;UNIX.group;"
    )
    assert choose_facts(feature_line(()).replace("*", "")) == FACTS
    assert set(DEFAULT_FACTS) <= set(FACTS)


def test_every_fact_is_written():
    assert format_facts(FILE, FACTS, "adfrw") == (
        "type=file;size=3;modify=19700101000001;create=19700101000000;perm=adfrw;unique=1-2;"
        "UNIX.mode=04755;UNIX.owner=demo;UNIX.group=users;"
    )


def test_only_the_chosen_facts_are_written():
    assert format_facts(FILE, ("size",), "r") == "size=3;"
    assert format_facts(FILE, (), "r") == ""
    assert formatter(()).lines([FILE]) == [" a b;c"]


def test_facts_not_known_are_left_out():
    assert format_facts(DIRECTORY, FACTS, "el") == (
        "type=dir;modify=19700101000001;perm=el;UNIX.mode=0755;UNIX.owner=ftp;UNIX.group=ftp;"
    )


def test_links_and_devices_have_types_of_their_own():
    assert format_facts(FILE._replace(kind=Kind.LINK), ("type", "size"), "") == (
        "type=OS.unix=symlink;size=3;"
    )
    assert format_facts(FILE._replace(kind=Kind.OTHER), ("type",), "") == "type=OS.unix=special;"


@pytest.mark.parametrize(
    ("target", "directory", "fact"),
    [
        ("/releases/7", "/", "slink:/releases/7"),
        ("releases/7", "/", "slink:/releases/7"),
        ("../b", "/a/c", "slink:/a/b"),
        (".", "/a", "slink:/a"),
        ("", "/a", "symlink"),
        ("a b", "/", "symlink"),
        ("a;b", "/", "symlink"),
        ("a", "/in here", "symlink"),
        ("a\nb", "/", "symlink"),
    ],
)
def test_the_type_of_a_link_includes_its_target_where_a_fact_can_hold_it(target, directory, fact):
    entry = FILE._replace(kind=Kind.LINK, target=target)
    facts = format_facts(entry, ("type", "size"), "", VirtualPath.parse(directory))
    assert facts == f"type=OS.unix={fact};size=3;"
    nowhere = format_facts(entry._replace(size=0), ("type", "size"), "", VirtualPath.parse("/in"))
    assert "size" not in nowhere


def test_the_target_of_a_link_is_read():
    assert parse_facts("type=OS.unix=slink:/t=1/x; l").target == "/t=1/x"
    assert parse_facts("type=OS.unix=symlink; l").target == ""
    assert parse_facts("type=file; l").target == ""


def test_values_never_break_the_line():
    entry = FILE._replace(owner="domain users;\r\n", group="gr=üpe", unique="a;b c")
    facts = format_facts(entry, ("unique", "UNIX.owner", "UNIX.group"), "")
    assert facts == "unique=a_b_c;UNIX.owner=domain_users___;UNIX.group=gr=_pe;"


def test_a_line_is_facts_then_name():
    assert formatter(("type",)).lines([FILE, DIRECTORY]) == ["type=file; a b;c", "type=dir; d"]


def test_permissions_are_asked_for_once_for_entries_alike():
    asked = []

    def permissions(entry):
        asked.append(entry)
        return f"{entry.access}"

    entries = [FILE, FILE._replace(name="b", size=9), FILE._replace(access=READ)]
    lines = FactFormatter(("perm",), permissions).lines(entries)
    assert lines == ["perm=15; a b;c", "perm=15; b", "perm=4; a b;c"]
    assert asked == [entries[0], entries[2]]


def test_shared_texts_kept_are_bounded():
    listing = formatter(FACTS)
    for target in range(5000):
        listing.lines([FILE._replace(kind=Kind.LINK, target=f"{target}")])
    assert len(listing._shared) <= 4096


@given(
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2**63),
    modified=st.integers(-(10**10), 10**11),
    mode=st.integers(0, 0o7777),
    created=st.none() | st.integers(0, 10**10),
    name=st.text(min_size=1, max_size=20).filter(lambda name: not set(name) & set("\r\n\0/")),
)
@settings(max_examples=150, deadline=None, database=None)
def test_a_client_reads_back_what_a_server_writes(kind, size, modified, mode, created, name):
    size = size if kind is Kind.FILE else 0
    entry = Entry(name, kind, size, modified, mode, "o", "g", 1, "u-1", created)
    assert parse_facts(formatter(FACTS).lines([entry])[0]) == entry


@pytest.mark.parametrize(
    ("line", "name", "kind"),
    [
        ("Type=file; f", "f", Kind.FILE),
        ("TYPE=DIR; d", "d", Kind.DIRECTORY),
        ("type=cdir; .", ".", Kind.DIRECTORY),
        ("type=pdir; ..", "..", Kind.DIRECTORY),
        ("type=OS.unix=slink:/target; l", "l", Kind.LINK),
        ("type=OS.unix=symlink; l", "l", Kind.LINK),
        ("type=OS.unix=chr-1/3; null", "null", Kind.OTHER),
        ("type=file;  two  spaces ", " two  spaces ", Kind.FILE),
        ("type=file /no/semicolon", "/no/semicolon", Kind.FILE),
    ],
)
def test_types_of_other_servers_are_read(line, name, kind):
    entry = parse_facts(line)
    assert (entry.name, entry.kind) == (name, kind)


def test_facts_of_other_servers_are_read():
    entry = parse_facts(
        "modify=20261121101500.123;UNIX.ownername=root;UNIX.groupname=wheel;type=file;size=7;x=;"
        "unix.mode=0100640;unique=U; n"
    )
    assert entry == Entry("n", Kind.FILE, 7, 1795256100.123, 0o640, "root", "wheel", 1, "U")


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        " name",
        "name",
        "type=file;",
        "type=file; ",
        "size=3; f",
        "type=; f",
        "type=file;;size=3; f",
        "type=file;size=; f",
        "type=file;size=-1; f",
        "type=file;size=1_0; f",
        "type=file;size=٣; f",
        "type=file;size=" + "9" * 5000 + "; f",
        "type=file;modify=191000101101500; f",
        "type=file;modify=; f",
        "type=file;UNIX.mode=9; f",
        "nonsense; f",
    ],
)
def test_what_is_no_entry_is_refused(line):
    with pytest.raises(ValueError, match=r"."):
        parse_facts(line)


@given(st.text(alphabet="typefil=; dsz0.\r\n", max_size=40))
@settings(max_examples=150, deadline=None, database=None)
def test_garbage_raises_nothing_but_value_error(line):
    try:
        parse_facts(line)
    except ValueError:
        return


def test_times_come_with_the_facts():
    assert parse_time(format_time(7)) == 7


def test_what_entries_share_is_kept_for_so_many(monkeypatch):
    monkeypatch.setattr(facts, "MAX_SHARED_KEPT", 4)
    facts_of = formatter(("UNIX.mode",))
    for mode in range(20):
        assert facts_of.lines([FILE._replace(mode=mode)]) == [f"UNIX.mode=0{mode:03o}; a b;c"]
        assert len(facts_of._shared) <= 4

"""Storage strings, and the sizes and durations in them."""

import pytest
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.backends import strings
from ftpservice.backends.memory.storage import MemorySource
from ftpservice.backends.strings import BadStorageString, build_source, check_storage_string
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.storage.source_strings import IStorageSourceFactory
from ftpservice.wire.units import parse_duration, parse_size


class TestBuilding:
    def test_memory_is_built_with_its_options(self):
        source = build_source("memory:capacity=10M:partial-age=2h", Clock())
        assert verifyObject(IStorageSource, source)
        assert source._tree.capacity == 10 * 2**20
        assert source._tree.partial_age == 7200
        assert build_source("memory:", Clock()).describe() == "memory:"

    def test_local_is_built_with_its_options(self, tmp_path, monkeypatch):
        built = []

        class Local:
            def __init__(self, root, clock, durable=False, partial_age=None):
                built.append((root, clock, durable, partial_age))

        local = type(pytest)("ftpservice.backends.local.source")
        local.LocalSource = Local
        monkeypatch.setitem(__import__("sys").modules, "ftpservice.backends.local.source", local)
        clock = Clock()
        build_source(r"local:/srv/a\:b=c:durable=yes:partial-age=7d", clock)
        assert built == [("/srv/a:b=c", clock, True, 7 * 86400.0)]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("/srv/ftp", "storage '/srv/ftp' has no scheme; a directory is local:/srv/ftp"),
            ("/srv/a:b", "storage '/srv/a:b' has no scheme; a directory is local:/srv/a:b"),
            ("floppy:a", "unknown storage 'floppy:' in 'floppy:a' (known: local:, memory:, s3:)"),
            ("local:", "storage 'local:': the directory is missing: local:/srv/ftp"),
            (
                "local:/srv:fast=yes",
                "storage 'local:/srv:fast=yes': unknown option 'fast' "
                "(known: durable, partial-age, timeout)",
            ),
            (
                "local:/srv:durable=perhaps",
                "storage 'local:/srv:durable=perhaps': option 'durable': not yes or no: 'perhaps'",
            ),
            (
                "memory:capacity",
                "storage 'memory:capacity': option 'capacity' needs a value: capacity=...",
            ),
            (
                "memory:capacity=lots",
                "storage 'memory:capacity=lots': option 'capacity': "
                "not a size: 'lots' (such as 500K, 10M, 2G)",
            ),
        ],
    )
    def test_a_bad_string_is_refused_in_one_clear_line(self, text, reason):
        with pytest.raises(BadStorageString) as caught:
            build_source(text, Clock())
        assert str(caught.value) == reason

    def test_other_schemes_come_from_plugins(self, monkeypatch):
        @implementer(IStorageSourceFactory)
        class Floppy:
            scheme = "floppy"
            help = "floppy:A"

            def build(self, argument, reactor):
                if argument == "broken":
                    raise PermissionError(13, "Permission denied", "/dev/fd0")
                if argument == "odd":
                    raise OSError("no drive")
                return MemorySource()

        monkeypatch.setattr(strings, "getPlugins", lambda interface: iter([Floppy()]))
        assert isinstance(build_source("floppy:a", Clock()), MemorySource)
        with pytest.raises(BadStorageString, match=r"floppy:broken': /dev/fd0: Permission denied$"):
            build_source("floppy:broken", Clock())
        with pytest.raises(BadStorageString, match=r"floppy:odd': no drive$"):
            build_source("floppy:odd", Clock())

    @pytest.mark.parametrize("factory", strings.BUILT_IN_FACTORIES)
    def test_the_built_in_schemes_say_what_they_are(self, factory):
        assert verifyObject(IStorageSourceFactory, factory)
        assert factory.help.startswith(factory.scheme + ":")


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a:b::c:", ["a", "b", "", "c", ""]),
        (r"a\:b:c", ["a:b", "c"]),
        (r"a\\:b", ["a\\", "b"]),
        ("end\\", ["end\\"]),
    ],
)
def test_arguments_part_at_colons_that_are_not_escaped(argument, parts):
    assert strings.split_fields(argument) == parts


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("0", 0),
            ("10", 10),
            ("1K", 1024),
            ("10M", 10 * 2**20),
            ("2g", 2**31),
            ("3TiB", 3 * 2**40),
        ],
    )
    def test_sizes_are_binary(self, text, size):
        assert parse_size(text) == size

    @pytest.mark.parametrize("text", ["", "-1", "1.5M", "M", "10  M", "1X", "٣", "9" * 40])
    def test_what_is_no_size_is_refused(self, text):
        with pytest.raises(ValueError, match="not a size"):
            parse_size(text)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604800), ("1.5h", 5400)],
    )
    def test_durations_have_units(self, text, seconds):
        assert parse_duration(text) == seconds

    @pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("5s", 5), ("5 days", 432000)])
    def test_a_unit_can_be_demanded(self, text, seconds):
        assert parse_duration(text, needs_unit=True) == seconds
        with pytest.raises(ValueError, match="'5' has no unit: give one of"):
            parse_duration("5", needs_unit=True)

    @pytest.mark.parametrize("name", ["memory", "local:/srv"])
    def test_the_age_of_partial_uploads_has_a_unit(self, name):
        with pytest.raises(BadStorageString, match="'30' has no unit"):
            check_storage_string(f"{name}:partial-age=30")

    @pytest.mark.parametrize(
        "text", ["", "-1", "d", "7D", "1e3", "inf", "7  d", "7 days ago", "7ss"]
    )
    def test_what_is_no_duration_is_refused(self, text):
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(text)


def test_a_directory_that_is_missing_is_named_in_one_line(tmp_path):
    path = tmp_path / "none"
    with pytest.raises(BadStorageString) as caught:
        build_source(f"local:{path}", Clock())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_that_is_there_is_served(tmp_path):
    @implementer(IReactorFromThreads)
    class Reactor(Clock):
        def callFromThread(self, call, *arguments):
            self.callLater(0, call, *arguments)

    source = build_source(f"local:{tmp_path}:partial-age=1d", Reactor())
    assert verifyObject(IStorageSource, source)
    assert source.describe() == f"local:{tmp_path}"

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.paths import ROOT, BadPath, VirtualPath

texts = st.text(alphabet='ab./ "\udcff', max_size=30)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("/", ()),
        ("//", ()),
        (".", ()),
        ("..", ()),
        ("/../../etc", ("etc",)),
        ("a/b", ("a", "b")),
        ("/a//b/", ("a", "b")),
        ("a/./b/../c", ("a", "c")),
        ("a/../../../b", ("b",)),
        ("...", ("...",)),
        ("a b /c ", ("a b ", "c ")),
        ("..a/a..", ("..a", "a..")),
        ("\\..\\", ("\\..\\",)),
    ],
)
def test_paths_are_normalised_below_their_root(text, parts):
    assert VirtualPath.parse(text).parts == parts


def test_relative_paths_start_here_and_absolute_ones_at_the_root():
    here = VirtualPath(("a", "b"))
    assert here.joined("c").parts == ("a", "b", "c")
    assert here.joined("../c").parts == ("a", "c")
    assert here.joined("/c").parts == ("c",)
    assert here.joined("../../../..") == ROOT
    assert here.joined("") == here


@pytest.mark.parametrize("character", ["\0", "\r", "\n"])
def test_names_with_line_ends_or_nul_are_refused(character):
    with pytest.raises(BadPath):
        VirtualPath.parse(f"a{character}b")
    with pytest.raises(BadPath):
        ROOT.joined(f"a/../{character}")


@given(here=texts, text=texts)
@settings(max_examples=150, deadline=None, database=None)
def test_no_path_leaves_its_root(here, text):
    path = VirtualPath.parse(here).joined(text)
    assert not {"", ".", ".."} & set(path.parts)
    assert not any("/" in part for part in path.parts)
    assert VirtualPath.parse(str(path)) == path
    assert path.below(VirtualPath(("top",))).is_within(VirtualPath(("top",)))


def test_parent_name_and_child_fit_together():
    path = VirtualPath(("a", "b"))
    assert (path.name, path.parent) == ("b", VirtualPath(("a",)))
    assert path.parent.child(path.name) == path
    assert (ROOT.name, ROOT.parent) == ("", ROOT)
    assert ROOT.is_root
    assert not path.is_root


def test_within_goes_by_whole_components():
    assert VirtualPath(("a", "b")).is_within(VirtualPath(("a",)))
    assert VirtualPath(("a",)).is_within(VirtualPath(("a",)))
    assert VirtualPath(("a",)).is_within(ROOT)
    assert not VirtualPath(("ab",)).is_within(VirtualPath(("a",)))
    assert not VirtualPath(("a",)).is_within(VirtualPath(("a", "b")))


def test_below_puts_a_path_under_another():
    assert VirtualPath(("c",)).below(VirtualPath(("a", "b"))).parts == ("a", "b", "c")


def test_quotes_are_doubled():
    assert VirtualPath(('a"b',)).quoted() == '"/a""b"'
    assert ROOT.quoted() == '"/"'


def test_bytes_that_are_not_utf8_come_back():
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert str(VirtualPath.parse(name)).encode("utf-8", "surrogateescape") == b"/caf\xe9"


def test_paths_are_values():
    assert VirtualPath(("a",)) == VirtualPath.parse("a")
    assert len({VirtualPath(("a",)), VirtualPath.parse("/a")}) == 1
    assert VirtualPath(("a",)) < VirtualPath(("b",))
    with pytest.raises(AttributeError):
        ROOT.parts = ("a",)

"""The text of a mount."""

import pytest

from ftpservice.backends.mounts.account_mount import AccountMount, check_mounts, parse_mount
from ftpservice.storage.trash import NO_TRASH, TrashRule


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/in=local:/disk2/in", AccountMount("/in", "local:/disk2/in")),
        ("/a=/x,own-trash=7d", AccountMount("/a", "/x", trash=TrashRule(7 * 86_400))),
        ("/a=/x,own-trash=off", AccountMount("/a", "/x", trash=NO_TRASH)),
        ("/a=local:/mnt/a,read-only", AccountMount("/a", "local:/mnt/a", read_only=True)),
        ("/a//b/=/shared//x/", AccountMount("/a/b", "/shared/x")),
        ("/m=memory:capacity=10M", AccountMount("/m", "memory:capacity=10M")),
    ],
)
def test_what_is_a_mount(text, mount):
    assert parse_mount(text) == mount
    assert parse_mount(str(mount)) == mount


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a mount"),
        ("/in", "expected a mount"),
        ("/in=", "expected a mount"),
        ("in=local:/x", "expected a mount"),
        ("/=local:/x", "at /"),
        ("/a/../b=local:/x", "contains '..'"),
        ("/a=/x/../y", "contains '..'"),
        ("/a=x", "neither a path"),
        ("/a=local:/x,readonly", "commas, but for ,read-only or ,own-trash=7d at its end"),
        ("/a,b=local:/x", "commas"),
        ("/a=local:/x,read-only,own-trash=7d", "nothing is deleted in a read-only mount"),
        ("/a=local:/x,own-trash=7d,read-only", "nothing is deleted in a read-only mount"),
        ("/a=local:/x,own-trash=7d,own-trash=8d", "commas"),
        ("/a=local:/x,own-trash=7", "hours, days or weeks"),
        ("/a=local:/x,own-trash=", "own-trash: .*hours, days or weeks.* or 'off' to keep nothing"),
        ("/a=local:/x\n", "control"),
        ("/a\x00=local:/x", "control"),
    ],
)
def test_what_is_none(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_mount(text)


def test_two_mounts_are_not_at_the_same_path():
    one, other = parse_mount("/a=/x"), parse_mount("/a/=/y")
    with pytest.raises(ValueError, match="two mounts at '/a'"):
        check_mounts((one, other))
    check_mounts((one, parse_mount("/a/b=/x")))

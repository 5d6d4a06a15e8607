from ftpservice.wire.entry import Entry, Kind


def test_the_least_that_is_known_makes_an_entry():
    entry = Entry("a", Kind.FILE, 3, 1.5)
    assert (entry.mode, entry.owner, entry.group, entry.links) == (0o644, "ftp", "ftp", 1)
    assert (entry.unique, entry.created) == ("", None)


def test_entries_are_values():
    assert Entry("a", Kind.FILE, 3, 1.5) == Entry("a", Kind.FILE, 3, 1.5)
    assert Entry("a", Kind.FILE, 3, 1.5)._replace(size=4) != Entry("a", Kind.FILE, 3, 1.5)


def test_kinds_are_the_four_there_are():
    assert [kind.value for kind in Kind] == ["file", "dir", "link", "other"]

"""No path leads out of the root, whatever links and races there are; with and without openat2."""

import errno
import os
import socket
import stat
import threading

import pytest

from ftpservice.backends.local.paths import tree as descent
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage import errors
from ftpservice.storage.interfaces import (
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    ISetMode,
    ISetTimes,
    WriteMode,
    WriteRequest,
)
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
    upload_file,
)
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.local_source import Bench, open_descriptors, run


def absent(*args):
    raise OSError(errno.ENOSYS, "no such call")


@pytest.fixture(params=["openat2", "walk"])
def kernel(request, monkeypatch):
    if request.param == "walk":
        monkeypatch.setattr(descent, "open_beneath", absent)
    return request.param


@pytest.fixture
def bench(kernel, tmp_path):
    made = Bench(tmp_path)
    (made.outside / "secret").write_bytes(b"secret")
    (made.outside / "folder").mkdir()
    (made.root / "dir").mkdir()
    (made.root / "dir" / "file").write_bytes(b"inside")
    return made


def link(bench, name, target):
    (bench.root / name).symlink_to(target)


class TestLinksInside:
    @pytest.mark.parametrize("target", ["dir", "./dir/", "dir/../dir", "dir/."])
    def test_relative_links_are_followed(self, bench, target):
        link(bench, "link", target)
        assert run(read_file(bench.storage, "/link/file")) == b"inside"
        assert set(run(list_directory(bench.storage, "/link"))) == {"file"}

    def test_absolute_links_are_followed(self, bench):
        link(bench, "link", bench.root / "dir")
        link(bench, "to-file", bench.root / "dir" / "file")
        link(bench, "to-root", bench.root)
        assert run(read_file(bench.storage, "/link/file")) == b"inside"
        assert run(read_file(bench.storage, "/to-file")) == b"inside"
        assert run(read_file(bench.storage, "/to-root/to-root/link/file")) == b"inside"
        assert run(bench.storage.stat(path_at("/to-root"))).kind is Kind.DIRECTORY

    def test_links_above_their_directory_are_followed(self, bench):
        (bench.root / "dir" / "deep").mkdir()
        (bench.root / "dir" / "deep" / "up").symlink_to("../../dir/file")
        (bench.root / "dir" / "deep" / "top").symlink_to("../..")
        (bench.root / "dir" / "here").symlink_to(".")
        assert run(read_file(bench.storage, "/dir/deep/up")) == b"inside"
        assert run(read_file(bench.storage, "/dir/deep/top/dir/here/file")) == b"inside"
        assert run(bench.storage.stat(path_at("/dir/deep/top"))).kind is Kind.DIRECTORY

    def test_absolute_links_by_the_name_the_root_was_given_are_followed(self, bench, tmp_path):
        alias = tmp_path / "alias"
        alias.symlink_to(bench.root)
        link(bench, "link", alias / "dir" / "file")
        tree = DirectoryTree.at(str(alias))
        os.close(tree.open(path_at("/link"), os.O_RDONLY))

    def test_a_moved_root_is_still_the_root(self, bench, tmp_path):
        bench.root.rename(tmp_path / "moved")
        (tmp_path / "moved" / "link").symlink_to(tmp_path / "moved" / "dir" / "file")
        assert run(read_file(bench.storage, "/link")) == b"inside"

    def test_listings_tell_links_as_links(self, bench):
        link(bench, "link", bench.root / "dir" / "file")
        link(bench, "folder", "dir")
        entries = run(list_directory(bench.storage))
        assert (entries["link"].kind, entries["link"].target) == (Kind.LINK, "/dir/file")
        assert (entries["folder"].kind, entries["folder"].target) == (Kind.LINK, "dir")
        file = run(bench.storage.stat(path_at("/link")))
        assert entries["link"].unique != file.unique
        assert (entries["link"].size, entries["link"].modified) == (6, file.modified)
        assert entries["folder"].size == 0

    def test_looking_follows_unless_asked_for_the_link_itself(self, bench):
        link(bench, "link", "dir/file")
        link(bench, "folder", "dir")
        links, entries = ILinks(bench.storage), run(list_directory(bench.storage))
        assert run(bench.storage.stat(path_at("/link"))).kind is Kind.FILE
        assert run(bench.storage.stat(path_at("/folder"))).kind is Kind.DIRECTORY
        for name in ("link", "folder", "dir"):
            assert run(links.lstat(path_at(f"/{name}"))) == entries[name]
        assert run(links.lstat(path_at("/folder/file"))).kind is Kind.FILE
        with pytest.raises(errors.PathNotFound):
            run(links.lstat(path_at("/none")))

    @pytest.mark.parametrize(
        ("place", "text", "target"),
        [
            ("link", "dir", "dir"),
            ("link", ".", "."),
            ("link", "none/such", "none/such"),
            ("dir/link", "..", ".."),
            ("dir/link", "../dir/./file", "../dir/./file"),
            ("dir/link", "{root}/dir/../dir", "/dir"),
            ("link", "{root}", "/"),
            ("link", "{root}/none/../a", "/a"),
            ("link", "link", "link"),
            ("link", "a b;c", "a b;c"),
            ("link", "a\nb", ""),
        ],
    )
    def test_targets_are_shown_as_the_account_sees_them(self, bench, place, text, target):
        link(bench, place, text.format(root=bench.root))
        home = path_at(f"/{place}").parent
        assert run(list_directory(bench.storage, str(home)))["link"].target == target
        assert run(ILinks(bench.storage).lstat(path_at(f"/{place}"))).target == target

    def test_below_a_link_a_target_above_is_shown_from_the_root(self, bench):
        (bench.root / "dir" / "deep").mkdir()
        link(bench, "dir/deep/up", "../file")
        link(bench, "dir/deep/beside", "up")
        link(bench, "way", "dir/deep")
        entries = run(list_directory(bench.storage, "/way"))
        assert (entries["up"].target, entries["beside"].target) == ("/dir/file", "up")

    def test_directories_are_entered_through_links_and_nothing_else_is(self, bench):
        for name, target in {"link": "dir", "file": "dir/file", "none": "no/such"}.items():
            link(bench, name, target)
        link(bench, "absolute", bench.root / "dir")
        link(bench, "out", bench.outside)
        enter = IEnter(bench.storage).enter
        for path in ("/", "/dir", "/link", "/absolute"):
            run(enter(path_at(path)))
        refused = {
            "/dir/file": errors.NotDirectory,
            "/file": errors.NotDirectory,
            "/dir/file/x": errors.NotDirectory,
            "/none": errors.PathNotFound,
            "/such": errors.PathNotFound,
            "/out": errors.Denied,
        }
        for path, error in refused.items():
            with pytest.raises(error):
                run(enter(path_at(path)))
        assert bench.open_descriptors() == []

    def test_an_upload_to_a_link_is_published_where_it_leads(self, bench):
        link(bench, "link", bench.root / "dir" / "file")
        writing = run(begin_upload(bench.storage, "/link", b"new"))
        assert len(list((bench.root / "dir").glob(".ftpservice.*"))) == 1
        assert run(writing.commit()).name == "link"
        assert (bench.root / "link").is_symlink()
        assert (bench.root / "dir" / "file").read_bytes() == b"new"

    def test_an_upload_to_a_dangling_link_inside_makes_the_file(self, bench):
        link(bench, "link", "dir/new")
        with pytest.raises(errors.PathNotFound):
            run(bench.storage.open_reading(path_at("/link")))
        run(create_file(bench.storage, "/link", b"new"))
        assert (bench.root / "dir" / "new").read_bytes() == b"new"

    def test_an_append_to_a_link_grows_what_it_leads_to(self, bench):
        link(bench, "link", bench.root / "dir" / "file")
        run(upload_file(bench.storage, "/link", b" and more", WriteMode.APPEND))
        assert (bench.root / "dir" / "file").read_bytes() == b"inside and more"

    def test_creating_does_not_go_through_links(self, bench):
        link(bench, "link", "dir/new")
        with pytest.raises(errors.Exists):
            run(upload_file(bench.storage, "/link", b"x", WriteMode.CREATE))
        with pytest.raises(errors.Exists):
            run(bench.storage.make_directory(path_at("/link")))
        run(upload_file(bench.storage, "/link", b"x", WriteMode.UNIQUE))
        assert (bench.root / "link.1").read_bytes() == b"x"
        assert not (bench.root / "dir" / "new").exists()

    def test_removing_and_renaming_take_the_link_itself(self, bench):
        link(bench, "link", "dir/file")
        link(bench, "folder", "dir")
        for name in ("/folder", "/link"):
            with pytest.raises(errors.IsLink):
                run(bench.storage.remove_directory(path_at(name)))
        run(bench.storage.rename(path_at("/link"), path_at("/moved")))
        assert (bench.root / "moved").is_symlink()
        run(bench.storage.remove_file(path_at("/moved")))
        run(bench.storage.remove_file(path_at("/folder")))
        assert (bench.root / "dir" / "file").read_bytes() == b"inside"
        assert set(run(list_directory(bench.storage))) == {"dir"}


OUT = {
    "absolute": lambda bench: bench.outside,
    "relative": lambda bench: "../outside",
    "roundabout": lambda bench: "dir/../../outside",
    "by its own name": lambda bench: f"{bench.root}/../outside",
    "neighbour with the same beginning": lambda bench: f"{bench.root}side",
}


@pytest.fixture(params=OUT)
def escape(request, bench):
    (bench.root.parent / "rootside").symlink_to("outside")
    link(bench, "out", OUT[request.param](bench))
    link(bench, "out-file", f"{OUT[request.param](bench)}/secret")
    return bench


class TestLinksOut:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda storage: storage.open_listing(path_at("/out")),
            lambda storage: storage.open_reading(path_at("/out-file")),
            lambda storage: storage.open_reading(path_at("/out/secret")),
            lambda storage: storage.stat(path_at("/out/secret")),
            lambda storage: create_file(storage, "/out-file", b"x"),
            lambda storage: create_file(storage, "/out/secret", b"x"),
            lambda storage: create_file(storage, "/out/new", b"x"),
            lambda storage: upload_file(storage, "/out-file", b"x", WriteMode.APPEND),
            lambda storage: upload_file(storage, "/out/new", b"x", WriteMode.CREATE),
            lambda storage: upload_file(storage, "/out/new", b"x", WriteMode.UNIQUE),
            lambda storage: storage.make_directory(path_at("/out/new")),
            lambda storage: storage.remove_directory(path_at("/out/folder")),
            lambda storage: storage.remove_file(path_at("/out/secret")),
            lambda storage: storage.rename(path_at("/out/secret"), path_at("/stolen")),
            lambda storage: storage.rename(path_at("/dir"), path_at("/out/dir")),
            lambda storage: IHashes(storage).hash(path_at("/out-file"), "MD5", 0, None),
            lambda storage: ISetTimes(storage).set_times(path_at("/out-file"), 0.0),
            lambda storage: ISetMode(storage).set_mode(path_at("/out-file"), 0o777),
            lambda storage: IFreeSpace(storage).free_space(path_at("/out")),
        ],
    )
    def test_nothing_goes_through_them(self, escape, ask):
        with pytest.raises(errors.Denied):
            run(ask(escape.storage))
        assert escape.open_descriptors() == []
        assert sorted(os.listdir(escape.outside)) == ["folder", "secret"]
        assert (escape.outside / "secret").read_bytes() == b"secret"
        assert not escape.hidden()

    def test_they_are_seen_as_links_and_can_be_removed(self, escape):
        entries = run(list_directory(escape.storage))
        for name in ("out", "out-file"):
            assert (entries[name].kind, entries[name].size) == (Kind.LINK, 0)
            assert entries[name].target == ""
            assert run(ILinks(escape.storage).lstat(path_at(name))) == entries[name]
            assert run(escape.storage.stat(path_at(name))) == entries[name]
            run(escape.storage.remove_file(path_at(name)))
        assert set(run(list_directory(escape.storage))) == {"dir"}

    def test_an_account_stays_in_its_own_directory(self, escape):
        link(escape, "dir/up", "..")
        link(escape, "dir/beside", escape.root)
        link(escape, "dir/self", escape.root / "dir" / "file")
        storage = escape.owned_by("two", path_at("/dir"))
        assert run(read_file(storage, "/self")) == b"inside"
        target = {name: entry.target for name, entry in run(list_directory(storage)).items()}
        assert target == {"file": "", "up": "", "beside": "", "self": "/file"}
        for name in ("/up", "/beside"):
            with pytest.raises(errors.Denied):
                run(storage.open_listing(path_at(name)))

    @pytest.mark.parametrize("text", ["none/../../../outside", "back/../../etc", "/", "/dir"])
    def test_no_target_outside_is_shown(self, escape, text):
        link(escape, "dir/back", "../../root/dir")
        link(escape, "dir/trap", text)
        assert run(list_directory(escape.storage, "/dir"))["trap"].target == ""

    def test_no_account_can_live_there(self, escape):
        with pytest.raises(errors.Denied):
            escape.owned_by("two", path_at("/out"))
        with pytest.raises(errors.Denied):
            escape.owned_by("two", path_at("/out/new"))


class TestOddLinks:
    def test_circles_are_refused(self, bench):
        link(bench, "a", "b")
        link(bench, "b", "a")
        link(bench, "c", bench.root / "c")
        for name in ("/a", "/a/x", "/c", "/c/x"):
            with pytest.raises(errors.Denied):
                run(bench.storage.open_reading(path_at(name)))
        assert run(list_directory(bench.storage))["a"].kind is Kind.LINK

    def test_links_that_would_keep_us_walking_for_hours_are_refused(self, bench):
        for number in range(40):
            link(bench, f"{number}", f"{bench.root}/" + "dir/../" * 500 + f"{number + 1}")
        with pytest.raises(errors.Denied):
            run(bench.storage.open_reading(path_at("/0")))

    def test_dangling_links_are_not_found(self, bench):
        link(bench, "none", "dir/none")
        link(bench, "deeper", bench.root / "none2" / "deeper")
        for name in ("/none", "/deeper", "/none/x"):
            with pytest.raises(errors.PathNotFound):
                run(bench.storage.open_reading(path_at(name)))
        assert run(bench.storage.stat(path_at("/none"))).kind is Kind.LINK

    def test_below_a_link_to_a_file_there_is_nothing(self, bench):
        link(bench, "link", bench.root / "dir" / "file")
        with pytest.raises(errors.NotDirectory):
            run(bench.storage.stat(path_at("/link/x")))

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
    def test_magic_links_lead_nowhere(self, kernel):
        tree = DirectoryTree.at("/proc/self")
        for name in ("/root", "/root/etc", "/cwd", "/exe", "/fd/0"):
            with pytest.raises(OSError):
                os.close(tree.open(path_at(name), os.O_RDONLY))


class TestNames:
    @pytest.mark.parametrize(
        "name", ["..", ".", "", "a/b", "../outside", "a\0b", "x" * 256, "\ud800"]
    )
    def test_names_that_are_none_are_refused(self, bench, name):
        path = VirtualPath((name,))
        for ask in (
            bench.storage.stat(path),
            bench.storage.stat(path.child("file")),
            bench.storage.make_directory(path),
            bench.storage.remove_file(path),
            bench.storage.rename(path_at("/dir"), path),
            bench.storage.open_listing(path),
            bench.storage.open_writing(path, WriteRequest()),
        ):
            with pytest.raises(errors.InvalidName):
                run(ask)

    def test_a_path_longer_than_the_kernel_takes_is_refused(self, bench):
        with pytest.raises((errors.InvalidName, errors.PathNotFound)):
            run(bench.storage.stat(VirtualPath(("x" * 200,) * 30)))

    def test_deep_directories_can_be_reached(self, bench):
        path = VirtualPath(("x" * 50,) * 60)
        for depth in range(1, 61):
            run(bench.storage.make_directory(VirtualPath(path.parts[:depth])))
        assert run(bench.storage.stat(path)).kind is Kind.DIRECTORY

    @pytest.mark.parametrize("raw", [b"caf\xe9", b"new\nline", b"\xff\xfe", b"\xed\xa0\x80"])
    def test_names_that_are_no_text_are_kept(self, bench, raw):
        with open(os.path.join(os.fsencode(bench.root), raw), "wb") as file:
            file.write(b"odd")
        name = raw.decode("utf-8", "surrogateescape")
        assert name in run(list_directory(bench.storage))
        path = ROOT.child(name)
        assert run(bench.storage.stat(path)).size == 3
        run(bench.storage.remove_file(path))
        assert set(run(list_directory(bench.storage))) == {"dir"}

    def test_hidden_names_do_not_exist_for_accounts(self, bench):
        for name in (".ftpservice.x", ".FTPservice.x"):
            (bench.root / name).write_bytes(b"x")
            assert set(run(list_directory(bench.storage))) == {"dir"}
            for ask in (
                bench.storage.stat(path_at(name)),
                bench.storage.open_reading(path_at(name)),
                bench.storage.remove_file(path_at(name)),
                bench.storage.rename(path_at(name), path_at("/x")),
            ):
                with pytest.raises(errors.PathNotFound):
                    run(ask)
            for ask in (
                create_file(bench.storage, "/" + name, b"x"),
                bench.storage.make_directory(path_at(name)),
                bench.storage.rename(path_at("/dir"), path_at(name)),
            ):
                with pytest.raises(errors.InvalidName):
                    run(ask)


class TestSpecialFiles:
    @pytest.fixture
    def special(self, bench):
        os.mkfifo(bench.root / "fifo")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(bench.root / "socket"))
        names = ["/fifo", "/socket"]
        if os.geteuid() == 0:
            os.mknod(bench.root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            names.append("/null")
        yield bench, names
        listener.close()

    def test_they_are_listed_but_never_opened(self, special):
        bench, names = special
        entries = run(list_directory(bench.storage))
        for name in names:
            assert entries[name[1:]].kind is Kind.OTHER
            for ask in (
                bench.storage.open_reading(path_at(name)),
                create_file(bench.storage, name, b"x"),
                upload_file(bench.storage, name, b"x", WriteMode.APPEND),
                IHashes(bench.storage).hash(path_at(name), "MD5", 0, None),
                ISetTimes(bench.storage).set_times(path_at(name), 0.0),
                ISetMode(bench.storage).set_mode(path_at(name), 0o666),
            ):
                with pytest.raises(errors.Denied):
                    run(ask)
        assert not bench.hidden()

    def test_they_can_be_renamed_and_removed(self, special):
        bench, names = special
        for name in names:
            run(bench.storage.rename(path_at(name), path_at("/moved")))
            run(bench.storage.remove_file(path_at("/moved")))

    def test_a_link_to_a_device_outside_is_refused(self, bench):
        link(bench, "null", "/dev/null")
        for ask in (
            bench.storage.open_reading(path_at("/null")),
            create_file(bench.storage, "/null", b"x"),
            upload_file(bench.storage, "/null", b"x", WriteMode.APPEND),
        ):
            with pytest.raises(errors.Denied):
                run(ask)
        assert run(list_directory(bench.storage))["null"].kind is Kind.LINK


class TestRaces:
    def test_a_component_that_is_swapped_for_a_link_does_not_lead_out(self, bench):
        """A thread swaps a directory for a link out of the root as fast as it can."""
        (bench.root / "real").mkdir()
        (bench.root / "real" / "secret").write_bytes(b"mine")
        link(bench, "trap", bench.outside)
        running = threading.Event()
        running.set()

        def swap():
            real, trap, here = (bench.root / name for name in ("real", "trap", "here"))
            while running.is_set():
                for put in (real, trap):
                    os.rename(put, here)
                    os.rename(here, put)

        swapping = threading.Thread(target=swap)
        swapping.start()
        try:
            seen = {look(bench.storage) for _ in range(1500)}
        finally:
            running.clear()
            swapping.join()
        assert b"secret" not in seen
        assert seen <= {b"mine", errors.Denied, errors.PathNotFound, errors.NotDirectory}
        assert bench.open_descriptors() == []

    def test_a_last_component_that_is_swapped_is_looked_at_anew(self, bench, monkeypatch):
        """What was a file when looked at is a link when opened, and a file the next time."""
        monkeypatch.setattr(descent, "open_beneath", absent)
        (bench.root / "file").write_bytes(b"file")
        tree = DirectoryTree.at(str(bench.root))
        for flags in (os.O_RDONLY, os.O_PATH):
            readlink, swaps = os.readlink, []

            def swapping(name, dir_fd, readlink=readlink, swaps=swaps):
                if not swaps:
                    swaps.append(name)
                    os.rename(bench.root / "file", bench.root / "kept")
                    link(bench, "file", "kept")
                    raise OSError(errno.EINVAL, "not a link")
                return readlink(name, dir_fd=dir_fd)

            monkeypatch.setattr(os, "readlink", swapping)
            opened = tree.open(path_at("/file"), flags)
            monkeypatch.setattr(os, "readlink", readlink)
            assert os.path.samestat(os.fstat(opened), os.stat(bench.root / "kept"))
            os.close(opened)
            os.replace(bench.root / "kept", bench.root / "file")

    def test_a_last_component_that_is_never_the_same_is_refused(self, bench, monkeypatch):
        monkeypatch.setattr(descent, "open_beneath", absent)
        link(bench, "link", "dir")

        def lying(name, dir_fd):
            raise OSError(errno.EINVAL, "not a link")

        monkeypatch.setattr(os, "readlink", lying)
        tree = DirectoryTree.at(str(bench.root))
        for flags in (os.O_RDONLY, os.O_PATH, os.O_PATH | os.O_DIRECTORY):
            with pytest.raises(OSError) as caught:
                tree.open(path_at("/link"), flags)
            assert caught.value.errno == errno.ELOOP


def look(storage):
    try:
        return run(read_file(storage, "/here/secret"))
    except errors.StorageError as error:
        return type(error)


class TestTree:
    def test_the_root_is_closed_with_the_last_reference_to_the_tree(self, tmp_path):
        before = open_descriptors()
        tree = DirectoryTree.at(str(tmp_path))
        assert open_descriptors() == before + 1
        del tree
        assert open_descriptors() == before

    def test_a_link_itself_can_be_opened(self, bench):
        link(bench, "link", bench.outside)
        tree = DirectoryTree.at(str(bench.root))
        opened = tree.open(path_at("/link"), os.O_PATH | os.O_NOFOLLOW)
        assert stat.S_ISLNK(os.fstat(opened).st_mode)
        os.close(opened)

    def test_errors_on_the_way_are_what_they_are(self, bench, monkeypatch):
        tree = DirectoryTree.at(str(bench.root))
        link(bench, "link", "dir")
        with pytest.raises(NotADirectoryError):
            tree.open(path_at("/dir/file/x"), DIRECTORY_FLAGS)

        def failing(*args, **kwargs):
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(os, "readlink", failing)
        with pytest.raises(OSError) as caught:
            tree.place(path_at("/link"))
        assert caught.value.errno == errno.EIO
        before = open_descriptors()
        monkeypatch.setattr(os, "stat", failing)
        with pytest.raises(OSError):
            tree.place(path_at("/dir"))
        assert open_descriptors() == before

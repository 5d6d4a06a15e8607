"""RETR, STOR, STOU, APPE, ALLO, REST, RANG and text (RFC 959 §3, §4.1.3; RFC 3659 §5)."""

from __future__ import annotations

import os

import pytest

from tests.support.raw_client import RunningService, in_thread, receive_all, started, starting

FIXTURES = (started, starting)
TEXTS = (
    *(b"", b"\n", b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"a\nb", b"a\r\nb\r\n", b"\r\r\r", b"\n\n\n"),
    b"end without line end",
)


def names(served: RunningService) -> set[str]:
    """Return the names on the disk, partial uploads included."""
    return {path.name for path in served.root.iterdir()}


@in_thread
@pytest.mark.parametrize("text", TEXTS)
def test_ascii_downloads_have_crlf_and_uploads_store_lf(
    served: RunningService, text: bytes
) -> None:
    (served.root / "a").write_bytes(text)
    wire = served.session()
    sent = wire.download("RETR a")
    text = text.replace(b"\r\n", b"\n")
    assert sent == (served.root / "a").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert wire.ask("SIZE a").lines == (b"213 %d" % len(sent),)
    assert wire.upload("STOR b", sent).code == 226
    assert (served.root / "b").read_bytes() == text


@in_thread
def test_line_ends_across_segments(served: RunningService) -> None:
    wire = served.session()
    stream, text = b"a\r\nb\rc\nd\r\r\n\r\n\re\r", b"a\nb\rc\nd\r\n\n\re\r"
    for size in (1, 2, 3, 5):
        data = wire.accepted()
        assert wire.code("STOR a") == 150
        for start in range(0, len(stream), size):
            data.sendall(stream[start : start + size])
            assert wire.code("NOOP") == 200
        data.close()
        assert wire.reply().code == 226
        assert (served.root / "a").read_bytes() == text


@in_thread
def test_line_ends_across_chunks(served: RunningService) -> None:
    text = b"\r\n".join([b"x" * 4093, b"", b"\r", b"y" * 7]) * 500
    (served.root / "a").write_bytes(text)
    wire = served.session()
    sent = wire.download("RETR a")
    lines = text.replace(b"\r\n", b"\n")
    assert sent == lines.replace(b"\n", b"\r\n")
    assert wire.ask("SIZE a").lines == (b"213 %d" % len(sent),)
    assert wire.upload("STOR b", sent).code == 226
    assert (served.root / "b").read_bytes() == lines


@in_thread
def test_record_structure(served: RunningService) -> None:
    text = b"one\ntwo\xff\xff\n\nthree\n"
    (served.root / "a").write_bytes(text)
    wire = served.session()
    assert wire.code("STRU R") == 200
    stream = wire.download("RETR a")
    assert stream == b"one\xff\x01two\xff\xff\xff\xff\xff\x01\xff\x01three\xff\x01\xff\x02"
    assert wire.upload("STOR b", stream).code == 226
    assert (served.root / "b").read_bytes() == text
    assert wire.upload("STOR c", stream[:-4] + b"\xff\x03").code == 226
    assert (served.root / "c").read_bytes() == text
    for broken in (stream[:-2], stream[:-1], stream + b"more", b"\xff\x04", b""):
        assert wire.upload("STOR d", broken).code == 426
    assert "d" not in names(served)


@in_thread
def test_binary_transfers_every_byte(served: RunningService) -> None:
    content = bytes(range(256)) * 4000 + os.urandom(100_001)
    wire = served.session()
    assert wire.code("TYPE I") == 200
    assert wire.upload("STOR a", content).code == 226
    assert wire.download("RETR a") == content
    assert wire.ask("SIZE a").lines == (b"213 %d" % len(content),)


@in_thread
def test_partial_downloads(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"0123456789")
    wire = served.session()
    assert wire.code("TYPE I") == 200
    parts = {
        "REST 0": b"0123456789", "REST 4": b"456789", "REST 10": b"", "RANG 2 5": b"2345",
        "RANG 0 0": b"0", "RANG 9 9": b"9", "RANG 8 100": b"89", "RANG 1 0": b"0123456789",
    }  # fmt: skip
    for command, part in parts.items():
        assert wire.code(command) == 350
        assert wire.download("RETR a") == part
        assert wire.download("RETR a") == b"0123456789"
    assert wire.codes("REST 11", "RETR a", "RANG 11 12", "RETR a") == [350, 554, 350, 554]
    assert wire.codes("RANG 2 5", "REST 7") == [350, 350]
    assert wire.download("RETR a") == b"789"
    assert wire.codes("TYPE A", "REST 4", "RETR a", "REST 4", "STOR b") == [200, 350, 504, 350, 504]
    assert wire.codes("TYPE I", "RANG 1 2", "STOR b") == [200, 350, 504]
    assert wire.codes("REST 4", "RETR none") == [350, 550]
    assert wire.download("RETR a") == b"0123456789"


@in_thread
def test_refused_downloads(served: RunningService) -> None:
    (served.root / "d").mkdir()
    os.mkfifo(served.root / "fifo")
    wire = served.session()
    for path in ("none", "d", "/", "", "d/none", "fifo", "fifo/x", "none/none"):
        wire.passive_address()
        assert wire.code(f"RETR {path}") == (550 if path else 501), path


@in_thread
def test_what_cannot_be_uploaded(served: RunningService) -> None:
    (served.root / "d").mkdir()
    (served.root / "f").write_bytes(b"f")
    os.mkfifo(served.root / "fifo")
    wire = served.session()
    for path in ("d", "/", "none/a", "f/a", "fifo"):
        for verb in ("STOR", "APPE"):
            wire.passive_address()
            assert wire.code(f"{verb} {path}") in (550, 553), (verb, path)
    assert wire.codes("EPSV", f"STOR {'x' * 256}", "EPSV", f"STOR {'é' * 128}") == [
        *(229, 553, 229, 553)
    ]
    assert wire.upload(f"STOR {'x' * 255}", b"").code == 226
    assert names(served) == {"d", "f", "fifo", "x" * 255}


@in_thread
def test_a_transfer_without_data_connection_is_425(
    served: RunningService,
) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    assert wire.codes("RETR a", "STOR a", "STOR b", "APPE a", "STOU", "LIST", "NLST", "MLSD") == (
        [425] * 8
    )
    assert names(served) == {"a"}
    assert (served.root / "a").read_bytes() == b"old"


@in_thread
def test_unique_names(served: RunningService) -> None:
    wire = served.session()
    found = []
    for command in ("STOU a", "STOU a", "STOU", "STOU", "STOU a"):
        data = wire.data()
        answer = wire.ask(command)
        assert answer.code == 150 and answer.text.startswith("FILE: "), answer
        found.append(answer.text.removeprefix("FILE: "))
        data.sendall(command.encode())
        data.close()
        assert wire.reply().code == 226
    assert found[0] == "a" and len(set(found)) == 5
    assert names(served) == set(found)
    assert (served.root / "a").read_bytes() == b"STOU a"


@in_thread
def test_fewer_bytes_than_announced_are_incomplete(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    assert wire.code("TYPE I") == 200
    for announced, code in ((3, 226), (2, 226), (4, 426), (0, 226)):
        assert wire.code(f"ALLO {announced}") == 200
        assert wire.upload("STOR a", b"new").code == code
        assert (served.root / "a").read_bytes() == (b"new" if code == 226 else b"old")
        (served.root / "a").write_bytes(b"old")
    assert wire.codes("ALLO 3 R 80", "ALLO 4") == [200, 200]
    assert wire.upload("STOR a", b"four").code == 226
    assert wire.upload("STOR a", b"other").code == 226
    assert wire.code(f"ALLO {2**62}") == 452


@in_thread
@pytest.mark.parametrize("existing", [None, b"old"])
@pytest.mark.parametrize("command", ["STOR a", "APPE a", "STOU a"])
def test_an_incomplete_announced_upload_reports_what_arrived(
    served: RunningService, command: str, existing: bytes | None
) -> None:
    if existing is not None:
        (served.root / "a").write_bytes(existing)
    wire = served.session()
    assert wire.codes("TYPE I", "ALLO 100000") == [200, 200]
    answer = wire.upload(command, b"short")
    assert answer.lines == (b"426 5 of 100000 announced bytes arrived; nothing was stored.",)
    assert names(served) - {name for name in names(served) if name[0] == "."} == (
        set() if existing is None else {"a"}
    )
    if existing is not None:
        assert (served.root / "a").read_bytes() == existing


@in_thread
def test_an_aborted_append_keeps_what_others_appended(served: RunningService) -> None:
    (served.root / "log").write_bytes(b"old,")
    wire = served.session()
    assert wire.codes("TYPE I", "ALLO 100") == [200, 200]
    data = wire.accepted()
    assert wire.code("APPE log") == 150
    data.sendall(b"ours,")
    served.wait_for(lambda: (served.root / "log").read_bytes() == b"old,ours,")
    other = served.session("other")
    assert other.upload("APPE log", b"theirs").code == 226
    data.close()
    answer = wire.reply()
    assert (answer.code, "they stay in the file" in answer.text) == (426, True)
    assert (served.root / "log").read_bytes() == b"old,ours,theirs"


@in_thread
def test_an_append_longer_than_announced(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    assert wire.codes("TYPE I", "ALLO 2") == [200, 200]
    assert wire.upload("APPE a", b"new").code == 226
    assert (served.root / "a").read_bytes() == b"oldnew"


@in_thread
def test_append(served: RunningService) -> None:
    wire = served.session()
    for content in (b"one", b"", b"two"):
        assert wire.upload("APPE a", content).code == 226
    assert (served.root / "a").read_bytes() == b"onetwo"


@in_thread
@pytest.mark.parametrize("existing", [None, b"OLD CONTENT"])
@pytest.mark.parametrize("way", ["REST", "APPE"])
def test_an_interrupted_upload_is_resumed(
    served: RunningService, existing: bytes | None, way: str
) -> None:
    content = os.urandom(300_000)
    if existing is not None:
        (served.root / "a").write_bytes(existing)
    wire = served.session()
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(content[:200_000])
    served.wait_for(lambda: served.factory.instances[0].context.running.moved == 200_000)
    assert wire.code("ABOR") == 426
    assert wire.reply().code == 226
    if existing is not None:
        assert (served.root / "a").read_bytes() == existing
        return
    assert not (served.root / "a").exists()
    assert wire.download("NLST") == b""
    assert wire.code("RETR a") == 550
    offset = int(wire.ask("SIZE a").text)
    assert 0 < offset <= 200_000
    if way == "REST":
        assert wire.code(f"REST {offset}") == 350
    assert wire.upload(f"{'STOR' if way == 'REST' else 'APPE'} a", content[offset:]).code == 226
    assert (served.root / "a").read_bytes() == content
    assert names(served) == {"a"}


@in_thread
def test_an_upload_at_an_offset_without_data_is_554(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"12345")
    wire = served.session()
    assert wire.codes("TYPE I", "EPSV", "REST 6", "STOR a") == [200, 229, 350, 554]
    assert wire.codes("EPSV", "REST 1", "STOR b") == [229, 350, 554]
    assert wire.code("REST 2") == 350
    assert wire.upload("STOR a", b"XX").code == 226
    assert (served.root / "a").read_bytes() == b"12XX"


@in_thread
def test_the_old_file_is_visible_until_the_upload_is_complete(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"old")
    wire, reader = served.session(), served.session("other")
    data = wire.accepted()
    assert wire.code("STOR a") == 150
    data.sendall(b"new content")
    served.wait_for(lambda: served.factory.instances[0].context.running.moved == 11)
    assert reader.download("RETR a") == b"old"
    data.close()
    assert wire.reply().code == 226
    assert reader.download("RETR a") == b"new content"


@in_thread
def test_a_download_continues_with_the_file_it_opened(served: RunningService) -> None:
    old, new = b"o" * 9_000_000, b"n" * 9_000_000
    (served.root / "a").write_bytes(old)
    wire, writer = served.session(), served.session("other")
    assert wire.code("TYPE I") == 200
    data = served.connected(wire.passive_address(), window=4096)
    assert wire.codes("NOOP", "RETR a") == [200, 150]
    assert writer.upload("STOR a", new).code == 226
    assert writer.code("DELE a") == 250
    assert receive_all(data) == old
    assert wire.reply().code == 226


@in_thread
def test_concurrent_uploads_to_one_name_are_complete(
    served: RunningService,
) -> None:
    one, two = served.session(), served.session("other")
    first, second = one.accepted(), two.accepted()
    assert one.code("STOR a") == 150
    first.sendall(b"first, ")
    assert two.code("STOR a") == 150
    second.sendall(b"second, ")
    first.sendall(b"whole")
    second.sendall(b"whole")
    second.close()
    assert two.reply().code == 226
    assert (served.root / "a").read_bytes() == b"second, whole"
    first.close()
    assert one.reply().code == 226
    assert (served.root / "a").read_bytes() == b"first, whole"
    assert names(served) == {"a"}


@in_thread
def test_the_reply_names_received_bytes_and_file_size(served: RunningService) -> None:
    """The last reply of an append or resumed upload names both."""
    wire = served.session()
    assert wire.code("TYPE I") == 200
    assert wire.upload("STOR f", b"a" * 3000).text == "Transfer complete, 3000 bytes stored in /f."
    assert wire.codes("REST 3000") == [350]
    text = "Transfer complete, 5000 bytes received, /f is 8000 bytes now."
    assert wire.upload("STOR f", b"b" * 5000).text == text
    text = "Transfer complete, 1 byte received, /f is 8001 bytes now."
    assert wire.upload("APPE f", b"c").text == text

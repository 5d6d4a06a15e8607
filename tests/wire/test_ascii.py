import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.ascii import AddedCRCounter, CRLFToLF, LFToCRLF

texts = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0"]), max_size=24).map(b"".join)


def received(pieces):
    stream = CRLFToLF()
    return b"".join([stream.translate(piece) for piece in pieces]) + stream.finish()


def sent(pieces):
    stream, ends = LFToCRLF(), AddedCRCounter()
    text = b"".join([stream.translate(piece) for piece in pieces]) + stream.finish()
    for piece in pieces:
        ends.count(piece)
    assert len(text) == sum(map(len, pieces)) + ends.added
    return text


def plainly(text):
    """Say the rule byte by byte."""
    out, before = b"", b""
    for byte in (text[i : i + 1] for i in range(len(text))):
        out += b"\r\n" if byte == b"\n" and before != b"\r" else byte
        before = byte
    return out


def test_every_line_feed_goes_out_as_crlf_and_a_crlf_as_it_is():
    assert sent([b"a\nb\r\nc\rd\n\n"]) == b"a\r\nb\r\nc\rd\r\n\r\n"
    assert sent([b"a\r\r\n"]) == b"a\r\r\n"
    assert sent([]) == sent([b""]) == b""


def test_a_crlf_between_two_pieces_goes_out_as_it_is():
    assert sent([b"a\r", b"\nb\n"]) == b"a\r\nb\r\n"
    assert sent([b"a\r", b"", b"\n", b"\n"]) == b"a\r\n\r\n"


def test_crlf_comes_in_as_line_feed_and_a_lone_cr_stays():
    assert received([b"a\r\nb\rc\r\r\nd\ne\r"]) == b"a\nb\rc\r\nd\ne\r"


def test_every_short_text_is_sent_alike_in_every_cut():
    for length in range(6):
        for letters in itertools.product([b"\r", b"\n", b"a"], repeat=length):
            text = b"".join(letters)
            expected = plainly(text)
            for cut in range(len(text) + 1):
                assert sent([text[:cut], text[cut:]]) == expected
            assert sent([text[i : i + 1] for i in range(len(text))]) == expected


@given(text=texts, cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=150, deadline=None, database=None)
def test_pieces_are_translated_like_the_whole(text, cuts):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[low:high] for low, high in itertools.pairwise(edges)]
    assert sent(pieces) == plainly(text)
    assert received(pieces) == received([text]) == text.replace(b"\r\n", b"\n")


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\r\n", b"\n")))
@settings(max_examples=100, deadline=None, database=None)
def test_any_binary_without_crlf_comes_back(data):
    while b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    assert received([sent([data])]) == data


def test_a_held_cr_is_given_back_once():
    stream = CRLFToLF()
    assert stream.translate(b"a\r") == b"a"
    assert stream.translate(b"") == b""
    assert stream.finish() == b"\r"
    assert stream.finish() == b""

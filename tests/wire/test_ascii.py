import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.ascii import FromNetwork, to_network

texts = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0"]), max_size=24).map(b"".join)


def received(pieces):
    stream = FromNetwork()
    return b"".join([stream.translate(piece) for piece in pieces]) + stream.finish()


def test_every_line_feed_goes_out_as_crlf():
    assert to_network(b"a\nb\r\nc\r") == b"a\r\nb\r\r\nc\r"
    assert to_network(b"") == b""


def test_crlf_comes_in_as_line_feed_and_a_lone_cr_stays():
    assert received([b"a\r\nb\rc\r\r\nd\ne\r"]) == b"a\nb\rc\r\nd\ne\r"


def test_every_short_text_comes_back_in_every_cut():
    for length in range(5):
        for letters in itertools.product([b"\r", b"\n", b"a"], repeat=length):
            text = b"".join(letters)
            sent = to_network(text)
            for cut in range(len(sent) + 1):
                assert received([sent[:cut], sent[cut:]]) == text
            assert received([sent[i : i + 1] for i in range(len(sent))]) == text


@given(text=texts, cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=150, deadline=None, database=None)
def test_pieces_are_translated_like_the_whole(text, cuts):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[low:high] for low, high in itertools.pairwise(edges)]
    assert b"".join(map(to_network, pieces)) == to_network(text)
    assert received(pieces) == received([text]) == text.replace(b"\r\n", b"\n")


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None, database=None)
def test_any_binary_comes_back(data):
    assert received([to_network(data)]) == data


def test_a_held_cr_is_given_back_once():
    stream = FromNetwork()
    assert stream.translate(b"a\r") == b"a"
    assert stream.translate(b"") == b""
    assert stream.finish() == b"\r"
    assert stream.finish() == b""

import pytest

from ftpservice.wire.digests import ALGORITHMS, new_hasher

KNOWN = {
    "CRC32": "cbf43926",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "SHA-1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA-256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pieces_make_the_digest_of_the_whole(algorithm):
    whole, pieces = new_hasher(algorithm), new_hasher(algorithm)
    whole.update(b"123456789")
    pieces.update(b"1234")
    pieces.update(memoryview(b"56789"))
    assert whole.hexdigest() == pieces.hexdigest()
    assert whole.hexdigest() == KNOWN.get(algorithm, whole.hexdigest())


def test_others_are_not_known():
    with pytest.raises(ValueError, match="unknown digest: MD4"):
        new_hasher("MD4")

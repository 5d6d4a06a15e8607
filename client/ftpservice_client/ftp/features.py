"""The features that a server announces (FEAT, RFC 2389 §3)."""

from __future__ import annotations

from ftpservice.wire.replies import Reply

__all__ = ["DIGEST_PREFERENCE", "Features", "digests_of", "is_ftpservice", "parse_features"]

DIGEST_PREFERENCE = ("SHA-256", "SHA-512", "SHA-384", "SHA-1", "MD5", "CRC32")
"""Digest algorithms in order of preference: the strong ones first, the fastest of those first."""
LEGACY_DIGEST_COMMANDS = {
    "SHA-256": "XSHA256",
    "SHA-512": "XSHA512",
    "SHA-1": "XSHA1",
    "MD5": "XMD5",
    "CRC32": "XCRC",
}
"""Commands older than HASH, one for each algorithm."""
OWN_SERVER_FEATURES = frozenset({"AVBL", "CLNT", "DSIZ", "HASH", "HOST", "RANG", "TVFS"})
"""Features that every ftpservice announces, and hardly any other server."""

Features = dict[str, str]
"""The parameters of each feature, by its name in upper case."""


def parse_features(reply: Reply) -> Features:
    """Parse the reply to FEAT; empty lines are skipped."""
    features = {}
    for line in reply.lines[1:-1]:
        word, _, rest = line.strip().partition(" ")
        if word:
            features[word.upper()] = rest.strip()
    return features


def digests_of(features: Features) -> dict[str, str]:
    """Return the command for each digest algorithm that the server supports."""
    known = {
        algorithm: verb for algorithm, verb in LEGACY_DIGEST_COMMANDS.items() if verb in features
    }
    for part in features.get("HASH", "").split(";"):
        name = part.strip().rstrip("*").upper()
        if name:
            known[name] = "HASH"
    return known


def is_ftpservice(features: Features) -> bool:
    """Return whether the server is an ftpservice, by what it announces."""
    return features.keys() >= OWN_SERVER_FEATURES

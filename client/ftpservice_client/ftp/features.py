"""What a server says it can do (FEAT, RFC 2389 §3)."""

from __future__ import annotations

from ftpservice.wire.replies import Reply

__all__ = ["DIGEST_PREFERENCE", "Features", "digests_of", "parse_features"]

DIGEST_PREFERENCE = ("SHA-256", "SHA-512", "SHA-384", "SHA-1", "MD5", "CRC32")
"""Digests in the order in which they are wanted: by strength enough, then by what they cost."""
LEGACY_DIGEST_COMMANDS = {
    "SHA-256": "XSHA256",
    "SHA-512": "XSHA512",
    "SHA-1": "XSHA1",
    "MD5": "XMD5",
    "CRC32": "XCRC",
}
"""Commands from before HASH, one for each algorithm."""

Features = dict[str, str]
"""By word, in capitals, what stands behind it."""


def parse_features(reply: Reply) -> Features:
    """Read the reply to FEAT; a line that says nothing is left out."""
    features = {}
    for line in reply.lines[1:-1]:
        word, _, rest = line.strip().partition(" ")
        if word:
            features[word.upper()] = rest.strip()
    return features


def digests_of(features: Features) -> dict[str, str]:
    """Return the digests that a server makes, by algorithm: the command that makes each."""
    known = {
        algorithm: verb for algorithm, verb in LEGACY_DIGEST_COMMANDS.items() if verb in features
    }
    for part in features.get("HASH", "").split(";"):
        name = part.strip().rstrip("*").upper()
        if name:
            known[name] = "HASH"
    return known

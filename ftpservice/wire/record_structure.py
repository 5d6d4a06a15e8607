r"""Text as records (``STRU R``) in stream mode: escape byte 0xFF (RFC 959 §3.4.1).

``FF 01`` ends a record, ``FF 02`` ends the file, ``FF 03`` both, ``FF FF`` is the byte itself.
A record is a line: its end stands for LF, so the way there and back loses nothing.
"""

from __future__ import annotations

__all__ = ["BadRecordStructure", "RecordDecoder", "RecordEncoder"]

ESCAPE = b"\xff"
END_OF_RECORD = b"\xff\x01"
END_OF_FILE = b"\xff\x02"
END_OF_RECORD_AND_FILE = b"\xff\x03"


class BadRecordStructure(ValueError):
    """The stream has no records, continues after its end, or ends without an end mark."""


class RecordEncoder:
    """Turns text into records, for any split of the stream."""

    def translate(self, data: bytes) -> bytes:
        """Return a stretch of text as records."""
        return data.replace(ESCAPE, ESCAPE + ESCAPE).replace(b"\n", END_OF_RECORD)

    def finish(self) -> bytes:
        """Return what ends the file."""
        return END_OF_FILE


class RecordDecoder:
    """Turns records back into text, for any split of the stream."""

    def __init__(self) -> None:
        self._escaped = False
        self._ended = False

    def translate(self, data: bytes) -> bytes:
        """Return the text that ``data`` adds; raises `BadRecordStructure`."""
        first, *rest = (ESCAPE + data if self._escaped else data).split(ESCAPE)
        self._escaped = False
        text = [self._plain(first)]
        after_escape = False
        for index, piece in enumerate(rest):
            if after_escape:
                text.append(self._plain(piece))
                after_escape = False
            elif piece:
                text += [self._mark(piece[0]), self._plain(piece[1:])]
            elif index == len(rest) - 1:
                self._escaped = True
            else:
                text.append(self._plain(ESCAPE))
                after_escape = True
        return b"".join(text)

    def _mark(self, code: int) -> bytes:
        if self._ended or code not in (1, 2, 3):
            raise BadRecordStructure(f"no such mark: {code}")
        self._ended = code >= 2
        return b"" if code == 2 else b"\n"

    def _plain(self, data: bytes) -> bytes:
        if data and self._ended:
            raise BadRecordStructure("data after the end of the file")
        return data

    def finish(self) -> bytes:
        """Say that the stream has ended; raises `BadRecordStructure` when the file has not."""
        if not self._ended:
            raise BadRecordStructure("no end of file")
        return b""

"""Where everything is in a shared table (`SharedTable`): its header and its sections.

The header describes the sections, so that a process of another version can use a table that it has
not made. All numbers are 64-bit words of the machine.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass

__all__ = ["BUCKET_SLOTS", "HEADER_WORDS", "MAX_COLUMNS", "RecordLayout", "TableLayout"]

BUCKET_SLOTS = 64
"""Slots of a bucket; a key is in any slot of one bucket."""
HEADER_WORDS = 2048
STATE_WORDS = 512
"""Words at the beginning of the header: the size of the description, and the states of columns."""
MAX_COLUMNS = 256
MAGIC = b"ftptable"


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """What a section of a table has for each of its keys.

    ``fields`` are numbers that each process has a column of its own for; ``values`` are numbers of
    which there is one. The fields in ``settled`` outlive their process. ``slots`` is the number of
    keys that the section has room for; some 60 % of it can be used before the first is refused.
    ``oldest`` is the value that tells which key is forgotten in a full bucket: that with the
    smallest one, of those whose fields are all 0. None: no key is forgotten.
    """

    name: str
    fields: int
    values: int = 0
    slots: int = 4096
    settled: tuple[int, ...] = ()
    oldest: int | None = None

    @property
    def buckets(self) -> int:
        """The number of buckets."""
        return -(-self.slots // BUCKET_SLOTS)

    def row_words(self, columns: int) -> int:
        """Return the number of words of one slot."""
        return self.fields * columns + self.values

    def words(self, columns: int) -> int:
        """Return the number of words: a mark and two tags for each slot of a bucket, and rows."""
        return self.buckets * (1 + BUCKET_SLOTS * (2 + self.row_words(columns)))


@dataclass(frozen=True)
class TableLayout:
    """The sections of a table with ``columns`` columns; ``secret`` is the key of its hashes."""

    columns: int
    secret: bytes
    records: tuple[RecordLayout, ...]

    @classmethod
    def new(cls, records: Iterable[RecordLayout], columns: int) -> TableLayout:
        """Return the layout of a new table."""
        if not 0 < columns <= MAX_COLUMNS:
            raise ValueError(f"a table has 1 to {MAX_COLUMNS} columns, not {columns}")
        return cls(columns, secrets.token_bytes(16), tuple(records))

    @property
    def words(self) -> int:
        """The number of words of the whole table."""
        return HEADER_WORDS + sum(record.words(self.columns) for record in self.records)

    def first_word(self, name: str) -> int:
        """Return where a section begins; raises `KeyError`."""
        word = HEADER_WORDS
        for record in self.records:
            if record.name == name:
                return word
            word += record.words(self.columns)
        raise KeyError(name)

    def header(self) -> bytes:
        """Return the beginning of the table."""
        sections = [asdict(record) for record in self.records]
        facts = {"columns": self.columns, "secret": self.secret.hex(), "sections": sections}
        text = json.dumps(facts).encode()
        if len(text) > (HEADER_WORDS - STATE_WORDS) * 8:
            raise ValueError("too many sections")
        return (MAGIC + len(text).to_bytes(8, "big")).ljust(STATE_WORDS * 8, b"\0") + text

    @classmethod
    def of_header(cls, header: bytes) -> TableLayout:
        """Return the layout that the beginning of a table describes.

        Raises `ValueError`, also for that of a version which describes sections otherwise.
        """
        if header[: len(MAGIC)] != MAGIC:
            raise ValueError("it is not a shared table")
        size, begin = int.from_bytes(header[len(MAGIC) : len(MAGIC) + 8], "big"), STATE_WORDS * 8
        facts = json.loads(header[begin : begin + size])
        try:
            records = [
                RecordLayout(**{**section, "settled": tuple(section["settled"])})
                for section in facts["sections"]
            ]
            return cls(facts["columns"], bytes.fromhex(facts["secret"]), tuple(records))
        except (KeyError, TypeError) as error:
            raise ValueError("the shared table is one of another version") from error

"""Telnet sequences in the control connection's input (RFC 854, RFC 1123 §4.1.2.10).

We agree to no option, so no peer has a reason to negotiate; those that do are refused politely,
and nothing they send is ever taken for a part of a command.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["IAC", "TelnetFilter"]

IAC = b"\xff"
IAC_BYTE = 255
LF = 10
SUBNEGOTIATION_END = 240
SUBNEGOTIATION = 250
WILL, WONT, DO, DONT = 251, 252, 253, 254
REFUSALS = {WILL: DONT, DO: WONT}
MAX_ANSWERS = 32 * 3
"""Bytes of refusals in a session; who negotiates more gets no answer."""
MAX_SUBNEGOTIATION = 1024


class TelnetFilter:
    """Removes Telnet sequences from a stream, however it is split.

    A 0xFF that begins no sequence is a byte of a Latin-1 name and stays. A
    subnegotiation that never ends ends at the end of the line or after a kilobyte.
    """

    __slots__ = ("_left", "_option", "_swallowed", "answers", "unfinished")

    def __init__(self) -> None:
        self.unfinished: Callable[[int, bytearray], None] | None = None
        """What takes the next byte, if the input so far ends in the middle of a sequence."""
        self.answers = b""
        """Refusals of options that are to be sent."""
        self._option = WILL
        self._swallowed = 0
        self._left = MAX_ANSWERS

    def strip(self, data: bytes) -> bytes:
        """Return ``data`` without its sequences, a doubled 0xFF made single."""
        text = bytearray()
        position = 0
        while position < len(data):
            if self.unfinished is not None:
                self.unfinished(data[position], text)
                position += 1
                continue
            found = data.find(IAC, position)
            if found < 0:
                text += data[position:]
                break
            text += data[position:found]
            self.unfinished = self._after_iac
            position = found + 1
        return bytes(text)

    def take_telnet_replies(self) -> bytes:
        """Return the refusals to send since the last call."""
        answers, self.answers = self.answers, b""
        return answers

    def clear(self) -> None:
        """Forget an unfinished sequence and what was to be answered."""
        self.unfinished = None
        self.answers = b""

    def _after_iac(self, byte: int, text: bytearray) -> None:
        self.unfinished = None
        if byte == IAC_BYTE:
            text.append(IAC_BYTE)
        elif byte >= WILL:
            self._option = byte
            self.unfinished = self._after_negotiation
        elif byte == SUBNEGOTIATION:
            self._swallowed = 0
            self.unfinished = self._in_subnegotiation
        elif byte < SUBNEGOTIATION_END:
            text += bytes((IAC_BYTE, byte))

    def _after_negotiation(self, byte: int, _text: bytearray) -> None:
        self.unfinished = None
        refusal = REFUSALS.get(self._option)
        if refusal is not None and self._left > 0:
            self._left -= 3
            self.answers += bytes((IAC_BYTE, refusal, byte))

    def _in_subnegotiation(self, byte: int, text: bytearray) -> None:
        self._swallowed += 1
        if byte == LF:
            text.append(LF)
            self.unfinished = None
        elif byte == IAC_BYTE:
            self.unfinished = self._iac_in_subnegotiation
        elif self._swallowed >= MAX_SUBNEGOTIATION:
            self.unfinished = None

    def _iac_in_subnegotiation(self, byte: int, text: bytearray) -> None:
        self.unfinished = self._in_subnegotiation
        if byte == SUBNEGOTIATION_END:
            self.unfinished = None
        else:
            self._in_subnegotiation(LF if byte == LF else 0, text)

"""A build's console, read on from where the last look ended, and made fit for a terminal."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from ...errors import ToolError
from .connection import Connection

LONGEST = 65_536  # bytes of one line; what is longer is shown in pieces
NOTE = re.compile(rb"\x1b\[8mha:[A-Za-z0-9+/=]*\x1b\[0m")
HIDDEN = ("Cc", "Cf", "Cs")  # what a terminal obeys instead of showing
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


class Lines:
    """Cuts pieces of a console into lines, whatever they were cut at: notes, characters, lines."""

    def __init__(self, rest: bytes = b"") -> None:
        self.rest = rest  # the line that has not ended yet

    def feed(self, piece: bytes) -> list[str]:
        """The lines that end in a piece."""
        *ended, self.rest = (self.rest + piece).split(b"\n")
        lines = [readable(line) for line in ended]
        while len(self.rest) > LONGEST:
            cut = _cut(self.rest)
            lines.append(readable(self.rest[:cut]))
            self.rest = self.rest[cut:]
        return lines

    def end(self) -> list[str]:
        """The last line, where it has no end of line."""
        last, self.rest = self.rest, b""
        return [readable(last)] if last else []


class Log:
    """The console of one build."""

    def __init__(self, connection: Connection, build: str, show: Callable[[list[str]], None]):
        self._connection, self._show = connection, show
        self._path = f"{build}logText/progressiveText"
        self._offset = 0
        self._rest = b""
        self._shown = 0  # lines since the offset that a broken transfer had shown already

    def read(self) -> str:
        """Shows what was written since the last call: `more`, `end`, or `gone` with its build."""
        found: list[bytes] = []

        def take(headers: Mapping[str, str], pieces: Iterator[bytes]) -> bytes:
            found[:] = [self._pass_on(headers, pieces)]
            return b""

        start = {"start": str(self._offset)}
        answer = self._connection.get(self._path, params=start, accept=(200, 404), take=take)
        if answer.status == 404:
            return "gone"
        self._offset = self._size(answer.headers)
        self._rest, self._shown = found[0], 0
        if answer.headers.get("x-more-data") == "true":
            return "more"
        self._show(Lines(self._rest).end())
        self._rest = b""
        return "end"

    def _size(self, headers: Mapping[str, str]) -> int:
        size = headers.get("x-text-size", "")
        if not size.isdecimal():
            todo = "see what stands between: it takes X-Text-Size out of answers"
            raise ToolError("Jenkins does not say how long the log is", self._path, todo)
        return int(size)

    def _pass_on(self, headers: Mapping[str, str], pieces: Iterator[bytes]) -> bytes:
        """Shows the lines of one answer but those that were shown; gives the unfinished one."""
        if self._size(headers) < self._offset:
            return b""  # the console was shortened: Jenkins sends all of it again
        lines, count = Lines(self._rest), 0
        for piece in pieces:
            ended = lines.feed(piece)
            new = ended[max(0, self._shown - count) :]
            count += len(ended)
            if new:
                self._show(new)
                self._shown = count
        return lines.rest


def _cut(line: bytes) -> int:
    """Where a line that is too long can be cut: not inside a note, not inside a character."""
    note = line.rfind(b"\x1b[8mha:", 0, LONGEST)
    if note > 0 and line.find(b"\x1b[0m", note, LONGEST) < 0:
        return note
    cut = LONGEST
    while cut > LONGEST - 4 and line[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut


def readable(line: bytes) -> str:
    """A line without console notes, escape sequences and control characters."""
    text = NOTE.sub(b"", line).decode("utf-8", "replace")
    text = ESCAPE.sub("", text.rstrip("\r"))
    if text.isprintable():
        return text
    return "".join(c for c in text if c == "\t" or unicodedata.category(c) not in HIDDEN)

"""Scan the bytes of a text file once: hash, encoding, end, odd characters, and an independent count of its records.

The count rests on line ends outside quotes, and not on a CSV reader. It is exact for a *regular* file. Only regular
files go to DuckDB's reader; the strict reader takes all others (csv_strict.py).
"""

import codecs
import errno
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import is_gzip
from ingest.mapping.mapping_file import Origin
from ingest.read.odd_letters import LetterCheck, OddLetters

CHUNK = 1 << 23
CONTROLS = bytes(sorted({*range(0x20), 0x7F} - {0x0A, 0x0D}))
SUSPICIOUS = (b"\xe2\x80", b"\xe2\x81", b"\xc2\x80", b"\xef\xbb\xbf", b"\xed\xa0", b"\xed\xb0")
"""First bytes of zero-width marks, direction marks, C1 controls and surrogates."""
GZIP_RATIO = 200
"""Largest allowed ratio. Records unpack to 5 to 50 times the size of the gzip, a gzip bomb to 1,000 times."""
GZIP_FLOOR = 1 << 26
"""Up to this many bytes the ratio is not checked. A small file of one repeated record is harmless."""
MOST_BYTES = 1 << 16
"""Largest cell. A larger one is a defect, or two records joined by a missing quote."""
TAIL = 2048
LF, CR = 0x0A, 0x0D
Bytes = NDArray[np.uint8]
Positions = NDArray[np.intp]


@dataclass(frozen=True)
class CsvScan:
    """Result of one pass over the bytes of a text file."""

    sha256: str
    size: int
    records: int | None
    """Number of records with the header, counted from the line ends. None: the file is not regular."""
    lines_are_records: bool
    """True: it is regular and no record has a line break, so record n is line n + 1."""
    suspicious: bool
    """True: it may contain characters that identifiers and names must not contain, so every text is checked."""
    tail: bytes = b""
    """Last bytes of the file."""
    odd_letters: OddLetters | None = None
    """Letters that show a wrong encoding."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open the object's bytes, decompressed."""
    return cast(IO[bytes], gzip.open(path, "rb") if is_gzip(path.name) else path.open("rb"))


def read_chunks(path: Path, object_name: str) -> Iterator[bytes]:
    """Yield the object's bytes in pieces.

    Raises SourceRefused for a gzip that is damaged or unpacks too large.
    """
    most = max(GZIP_FLOOR, path.stat().st_size * GZIP_RATIO) if is_gzip(path.name) else None
    size = 0
    try:
        with open_bytes(path) as stream:
            while piece := stream.read(CHUNK):
                size += len(piece)
                if most is not None and size > most:
                    reason = f"it unpacks to more than {GZIP_RATIO} times its size"
                    raise SourceRefused(object_name, "", reason, "Check the file. If it is correct, send it unpacked.")
                yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceRefused(
            object_name, "", f"the gzip is cut or damaged ({error})", "Send the complete file again."
        ) from None


@contextmanager
def refuse_unreadable(object_name: str) -> Iterator[None]:
    """Raise SourceRefused if the system cannot read a file: no permission, gone, or a failing disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (None, errno.ENOSPC, errno.EDQUOT):
            raise
        do = "Check that the file is there and that Buyerview may read it. Then run again."
        raise SourceRefused(object_name, "", f"it cannot be read ({error.strerror})", do) from None


def scan(path: Path, origin: Origin, delimiter: str, object_name: str) -> CsvScan:
    """Compute hash, line ends, encoding and odd characters in one pass.

    Raises SourceRefused for an empty, undecodable or truncated object.
    """
    digest = hashlib.sha256()
    size = newlines = 0
    suspicious = False
    tail, last = b"", ""
    decoder = _decoder(origin, object_name)
    letters = LetterCheck(origin)
    utf8 = codecs.lookup(origin.encoding).name == "utf-8"
    count = _RecordCount(origin, delimiter) if utf8 else None
    for piece in read_chunks(path, object_name):
        digest.update(piece)
        newlines += piece.count(b"\n")
        if utf8 and piece.isascii() and not decoder.getstate()[0]:
            last = chr(piece[-1])
        else:
            text = _decode(decoder, piece, size, origin, object_name)
            last = text[-1:] or last
            if not text.isascii():
                letters.add(piece, text)
            start = piece[3:] if size == 0 and piece.startswith(codecs.BOM_UTF8) else piece
            suspicious = suspicious or any(mark in start for mark in SUSPICIOUS) or b"\xc2" in start
        suspicious = suspicious or len(piece.translate(None, CONTROLS)) != len(piece)
        if count is not None:
            count.add(piece)
        size += len(piece)
        tail = (tail + piece)[-TAIL:]
    if size == 0:
        raise SourceRefused(object_name, "", "the file is empty", "Send the file again with at least its header line.")
    last = _decode(decoder, b"", size, origin, object_name, final=True)[-1:] or last
    if origin.final_newline == "required" and last not in ("\n", "\r"):
        raise SourceRefused(
            object_name,
            f"line {newlines + 1}",
            "the last record does not end with a line break, so the file may be cut",
            "Send the complete file again. If this source never ends its last line, "
            'write final_newline = "optional" in the mapping.',
        )
    records = count.records() if count is not None else None
    plain = records is not None and count is not None and count.quoted_newlines == 0
    # Keys must not contain line breaks. Other odd characters of the file must not decide whether they are checked.
    return CsvScan(digest.hexdigest(), size, records, plain, suspicious or not plain, tail, letters.found())


class _RecordCount:
    """Count records by the line ends outside quotes, block by block, and check that the file is regular.

    Regular: every quote encloses a whole field, line ends are all alike, no line is blank, no record exceeds the
    largest cell, and the header is one line. All CSV readers then see the same records.
    """

    def __init__(self, origin: Origin, delimiter: str) -> None:
        quote = origin.quote
        self.regular = quote.isascii() and delimiter.isascii() and origin.escape in ("", quote) and delimiter != quote
        self.quoted_newlines = self._ends = self._quotes = 0
        self._quote = ord(quote) if quote and self.regular else None
        self._beside = np.array(sorted({ord(one) for one in f"{delimiter}\r\n{quote}"}), np.uint32)
        self._crlf: bool | None = None
        self._rest: bytes | None = None
        self._open = 0
        """Bytes of the current record before the current block."""

    def add(self, piece: bytes) -> None:
        """Count the records of the next piece, up to its last line end."""
        if not self.regular:
            return
        block = piece.removeprefix(codecs.BOM_UTF8) if self._rest is None else self._rest + piece
        cut = block.rfind(b"\n") + 1
        self._count(block[:cut])
        self._rest = block[cut:]
        self.regular = self.regular and len(self._rest) <= CHUNK

    def records(self) -> int | None:
        """Return the number of records, the header included. None: the file is not regular."""
        if self.regular and self._rest:
            self._count(self._rest + (b"\r\n" if self._crlf else b"\n"))
        return self._ends if self.regular and self._quotes % 2 == 0 else None

    def _count(self, block: bytes) -> None:
        if not block:
            return
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == LF)
        outside = ends if self._quote is None else self._outside_quotes(data, ends)
        if block.count(b"\r") != block.count(b"\r\n"):
            self.regular = False
        if len(outside):
            crlf = data[outside - 1] == CR
            self._crlf = bool(crlf[0]) if self._crlf is None else self._crlf
            lengths = np.diff(outside, prepend=-1)
            lengths[0] += self._open
            self._open = 0
            if (crlf != self._crlf).any() or lengths.min() <= 1 + self._crlf or lengths.max() > MOST_BYTES:
                self.regular = False
        self._open += len(data) - (int(outside[-1]) + 1 if len(outside) else 0)
        self._ends += len(outside)

    def _outside_quotes(self, data: Bytes, ends: Positions) -> Positions:
        """Return the line ends outside quotes. A block ends with a line end, so each quote has a next byte."""
        quotes = np.flatnonzero(data == self._quote)
        opens = self._quotes % 2
        opening, closing = quotes[opens::2], quotes[1 - opens :: 2]
        before = np.where(opening > 0, data[opening - 1], LF)
        if not (np.isin(before, self._beside).all() and np.isin(data[closing + 1], self._beside).all()):
            self.regular = False
        inside = (np.searchsorted(quotes, ends) + self._quotes) % 2 == 1
        self._quotes += len(quotes)
        if inside.any():
            if self._ends + self.quoted_newlines == 0 and inside[0]:
                self.regular = False  # the header has a line break
            self.quoted_newlines += int(inside.sum())
        outside: Positions = ends[~inside]
        return outside


def _decoder(origin: Origin, object_name: str) -> codecs.IncrementalDecoder:
    try:
        info = codecs.lookup(origin.encoding)
        if not getattr(info, "_is_text_encoding", True):
            raise LookupError(origin.encoding)
        return codecs.getincrementaldecoder(origin.encoding)("strict")
    except (LookupError, ValueError, TypeError):
        raise SourceRefused(
            object_name, "", f"unknown encoding {origin.encoding!r}", 'Write e.g. encoding = "cp1252" in the mapping.'
        ) from None


def _decode(
    decoder: codecs.IncrementalDecoder, piece: bytes, at: int, origin: Origin, object_name: str, *, final: bool = False
) -> str:
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        raise SourceRefused(
            object_name,
            f"byte {at - pending + error.start}",
            f"not valid {origin.encoding}",
            'Declare the encoding of the file in the mapping, e.g. encoding = "cp1252" or "utf-16", '
            "or have it written as UTF-8.",
        ) from None
    except UnicodeError as error:
        raise SourceRefused(
            object_name,
            "byte 0",
            f"not valid {origin.encoding} ({error})",
            'Declare the byte order, e.g. encoding = "utf-16-le" or "utf-16-be", or have it written as UTF-8.',
        ) from None

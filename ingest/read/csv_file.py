"""Read CSV files: a scan of all bytes, the header, the SQL of DuckDB's reader, and a strict reader in Python.

DuckDB reads clean files. Python's strict `csv` reads a file whose records DuckDB cannot number exactly: a quoted line
break next to a broken record, mixed line ends, or an encoding other than UTF-8.
"""

import codecs
import csv
import gzip
import hashlib
import io
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin, nearest
from ingest.storage.scratch_database import Connection, sql_literal

CHUNK = 1 << 23
CONTROLS = bytes(sorted({*range(0x20), 0x7F} - {0x0A, 0x0D}))
SUSPICIOUS = (b"\xe2\x80", b"\xe2\x81", b"\xc2\x80", b"\xef\xbb\xbf", b"\xed\xa0", b"\xed\xb0")
"""First bytes of zero-width marks, direction marks, C1 controls and surrogates."""
GZIP_RATIO = 200
"""Largest allowed ratio. Records unpack to 5 to 50 times the size of the gzip, a gzip bomb to 1,000 times."""
GZIP_FLOOR = 1 << 26
"""Up to this many bytes the ratio is not checked. A small file of one repeated record is harmless."""
MAX_BROKEN = 200
"""With more broken records, the strict reader is faster than shifting row numbers range by range."""


@dataclass(frozen=True)
class CsvScan:
    """Result of one pass over the bytes of an object."""

    sha256: str
    size: int
    newlines: int
    suspicious: bool
    """True: it may contain characters that identifiers and names must not contain, so every text is checked."""


@dataclass(frozen=True)
class BrokenRecord:
    """A record that cannot be read: its number, its text and its problem."""

    row_no: int
    raw: str
    problem: str


def open_bytes(path: Path) -> IO[bytes]:
    """Open the object's bytes, decompressed."""
    return cast(IO[bytes], gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb"))


def read_chunks(path: Path, object_name: str) -> Iterator[bytes]:
    """Yield the object's bytes in pieces.

    Raises SourceRefused for a gzip that is damaged or unpacks too large.
    """
    most = max(GZIP_FLOOR, path.stat().st_size * GZIP_RATIO) if path.name.endswith(".gz") else None
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


def scan(path: Path, origin: Origin, object_name: str) -> CsvScan:
    """Compute hash, line ends, encoding and odd characters in one pass.

    Raises SourceRefused for an empty, undecodable or truncated object.
    """
    digest = hashlib.sha256()
    size = newlines = 0
    suspicious = False
    last = b""
    decoder = _decoder(origin, object_name)
    utf8 = codecs.lookup(origin.encoding).name == "utf-8"
    for piece in read_chunks(path, object_name):
        digest.update(piece)
        newlines += piece.count(b"\n")
        if not (utf8 and piece.isascii() and not decoder.getstate()[0]):
            _decode(decoder, piece, size, origin, object_name)
            start = piece[3:] if size == 0 and piece.startswith(codecs.BOM_UTF8) else piece
            suspicious = suspicious or any(mark in start for mark in SUSPICIOUS) or b"\xc2" in start
        suspicious = suspicious or len(piece.translate(None, CONTROLS)) != len(piece)
        size += len(piece)
        last = piece[-4:]
    if size == 0:
        raise SourceRefused(object_name, "", "the file is empty", "Send the file again with at least its header line.")
    _decode(decoder, b"", size, origin, object_name, final=True)
    if origin.final_newline == "required" and b"\n" not in last and b"\r" not in last:
        raise SourceRefused(
            object_name,
            f"line {newlines + 1}",
            "the last record does not end with a line break, so the file may be cut",
            "Send the complete file again. If this source never ends its last line, "
            'write final_newline = "optional" in the mapping.',
        )
    return CsvScan(digest.hexdigest(), size, newlines, suspicious)


def _decoder(origin: Origin, object_name: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(origin.encoding)("strict")
    except LookupError:
        raise SourceRefused(
            object_name, "", f"unknown encoding {origin.encoding!r}", 'Write e.g. encoding = "cp1252" in the mapping.'
        ) from None


def _decode(
    decoder: codecs.IncrementalDecoder, piece: bytes, at: int, origin: Origin, object_name: str, *, final: bool = False
) -> None:
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        raise SourceRefused(
            object_name,
            f"byte {at - pending + error.start}",
            f"not valid {origin.encoding}",
            'Declare the encoding of the file in the mapping, e.g. encoding = "cp1252" or "utf-16", '
            "or have it written as UTF-8.",
        ) from None


def read_header(path: Path, origin: Origin, object_name: str) -> list[str]:
    """Read the column names.

    Raises SourceRefused for repeated names, ignoring case, spaces and Unicode form.
    """
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=text_encoding(origin), newline="") as text:
        try:
            names = next(csv_reader(text, origin), [])
        except csv.Error as error:
            raise SourceRefused(
                object_name, "line 1", f"the header cannot be read ({error})", "Correct the header line."
            ) from None
    seen: dict[str, str] = {}
    for one in names:
        folded = unicodedata.normalize("NFC", one).strip().casefold()
        if folded in seen:
            raise SourceRefused(
                object_name,
                "line 1",
                f"the header names {one!r} twice (also as {seen[folded]!r})",
                "Give every column a unique name.",
            )
        seen[folded] = one
    return names


def check_columns(present: list[str], wanted: list[str], object_name: str) -> None:
    """Raise SourceRefused if the object lacks columns that the mapping reads. The message names all of them."""
    missing = [f"{one!r}{nearest(one, present)}" for one in wanted if one not in present]
    if missing:
        raise SourceRefused(
            object_name,
            "header",
            f"no column {'; no column '.join(missing)}",
            "Correct the header, or `from` in the mapping.",
        )


def text_encoding(origin: Origin) -> str:
    """Return the encoding of a file, without a byte order mark for UTF-8."""
    return "utf-8-sig" if codecs.lookup(origin.encoding).name == "utf-8" else origin.encoding


def csv_reader(text: Iterator[str] | IO[str], origin: Origin) -> Iterator[list[str]]:
    """Return Python's strict CSV reader with the declared options."""
    csv.field_size_limit(1 << 16)
    return csv.reader(
        text,
        delimiter=origin.delimiter,
        quotechar=origin.quote or None,
        quoting=csv.QUOTE_MINIMAL if origin.quote else csv.QUOTE_NONE,
        escapechar=None if origin.escape in ("", origin.quote) else origin.escape,
        doublequote=origin.escape in ("", origin.quote),
        strict=True,
    )


def read_csv_sql(path: Path, columns: list[str], origin: Origin) -> str:
    """Return the SQL that reads a UTF-8 file with every option declared.

    Broken records go to the `rejects` table of the connection.
    """
    types = ", ".join(f"{sql_literal(one)}: 'VARCHAR'" for one in columns)
    return (
        f"read_csv({sql_literal(str(path))}, delim={sql_literal(origin.delimiter)}, quote={sql_literal(origin.quote)}, "
        f"escape={sql_literal(origin.escape or origin.quote)}, header=true, auto_detect=false, strict_mode=true, "
        f"columns={{{types}}}, "
        f"nullstr='', encoding='utf-8', compression={sql_literal('gzip' if path.name.endswith('.gz') else 'none')}, "
        "store_rejects=true, rejects_table='rejects', rejects_scan='reject_scans', rejects_limit=0)"
    )


def read_rejects(connection: Connection) -> list[tuple[int, str, str]]:
    """Return and delete the records that the last read rejected, as (line, text, problem), one per line."""
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejects'").fetchone():
        return []
    rejects = connection.execute(
        "SELECT line, any_value(csv_line), min(CAST(error_type AS VARCHAR)) FROM rejects GROUP BY line ORDER BY line"
    ).fetchall()
    connection.execute("DELETE FROM rejects; DELETE FROM reject_scans")
    return [(int(line), str(text), str(kind).lower()) for line, text, kind in rejects]


def read_strictly(path: Path, origin: Origin, object_name: str, target: Path) -> tuple[int, list[BrokenRecord]]:
    """Read with Python's strict `csv`, and write the good records to `target`.

    Each starts with `_shift`: its row number minus its position. Returns the number of good records, and the broken
    records. Raises SourceRefused for a quote that is never closed or a cell over 64 KB.
    """
    broken: list[BrokenRecord] = []
    good = row_no = 0
    with (
        open_bytes(path) as stream,
        io.TextIOWrapper(stream, encoding=text_encoding(origin), newline="", errors="strict") as text,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        lines = _LineRecorder(text)
        reader = csv_reader(lines, origin)
        writer = csv.writer(out, lineterminator="\n")
        width = len(next(reader))
        writer.writerow(["_shift", *(str(position) for position in range(width))])
        while True:
            lines.forget()
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                row_no += 1
                if "unexpected end of data" in str(error):
                    raise SourceRefused(
                        object_name,
                        f"line {lines.first}",
                        "a quote opened here is never closed",
                        "Close the quote, or send the complete file again.",
                    ) from None
                if "field larger" in str(error):
                    raise SourceRefused(
                        object_name,
                        f"line {lines.first}",
                        "a cell is larger than 64 KB",
                        "Check the quotes in this line. One is probably missing.",
                    ) from None
                broken.append(BrokenRecord(row_no, lines.text(), f"cannot be read: {error}"))
                continue
            if not record:
                continue
            row_no += 1
            if len(record) != width:
                broken.append(
                    BrokenRecord(row_no, lines.text(), f"has {len(record)} fields, but the header has {width}")
                )
                continue
            writer.writerow([row_no - good, *record])
            good += 1
    return good, broken


class _LineRecorder:
    """Iterate over the lines of a text, and record the lines of the current CSV record."""

    def __init__(self, text: IO[str]) -> None:
        self._lines = iter(text)
        self._held: list[str] = []
        self._number = 0

    def __iter__(self) -> "_LineRecorder":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        self._held.append(line)
        return line

    def forget(self) -> None:
        self._held.clear()

    def text(self) -> str:
        return "".join(self._held).rstrip("\r\n")

    @property
    def first(self) -> int:
        return self._number - len(self._held) + 1

"""Read a CSV file with the strict reader into a text table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.mapping.mapping_file import Origin
from ingest.read.csv_file import BrokenRecord, CsvLayout, Parsed, strict_records
from ingest.read.layout import without_footer
from ingest.read.text_tables import Record, TextTable, fill_table
from ingest.storage.scratch_database import Connection


def csv_to_table(
    connection: Connection,
    table: str,
    path: Path,
    origin: Origin,
    found: CsvLayout,
    object_name: str,
    *,
    sha256: str,
    needed: Sequence[str],
) -> TextTable:
    """Fill a text table with the readable records. Rows below the records are left out and noted.

    needed: the columns that every record fills.
    """
    broken: list[BrokenRecord] = []
    footer: list[Parsed] = []
    width = len(found.header)
    required = [at for at, name in enumerate(found.header) if name in needed]
    kept = [at for at, name in enumerate(found.header) if name.strip()]

    def cells(parsed: Parsed) -> Sequence[str | None]:
        return parsed.cells if parsed.cells is not None else parsed.raw.split(found.delimiter)

    def records() -> Iterator[tuple[int, Record]]:
        rows = strict_records(path, origin, found, object_name)
        for parsed in without_footer(rows, origin, cells, required, width, footer):
            if parsed.cells is None:
                broken.append(BrokenRecord(parsed.row_no, parsed.raw, parsed.problem))
            else:
                yield parsed.row_no, [parsed.cells[at] or None for at in kept]

    rows = fill_table(connection, table, found.columns, records())
    notes = []
    if found.skip:
        notes.append(f"{object_name}: the header is line {found.skip + 1}; {found.skip} line(s) above it were skipped")
    if footer:
        notes.append(
            f"{object_name}: {len(footer)} row(s) below the records were skipped, "
            f"from {found.delimiter.join(cell or '' for cell in cells(footer[0]))[:80]!r} on"
        )
    below = next((cell for cell in cells(footer[0]) if cell), "") if footer else ""
    return TextTable(found.columns, rows, sha256, tuple(broken), notes=tuple(notes), footer=below)

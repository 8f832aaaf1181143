"""Export a whole fact table as CSV or Parquet, batch by batch, so that a million rows need little memory.

The provenance goes to `<name>.provenance.json` with the SHA-256 of the file, not a hash of the rows in any order, which
would take too long.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from dashboard.exports.write import PROVENANCE_SUFFIX
from metrics.errors import SettingRefused
from metrics.facts.arrow_batches import batches, find
from metrics.provenance.provenance import FORMULA, fact_table_provenance
from metrics.warehouse.pointer import sha256

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "parquet")


def write(connection: Connection, name: str, fmt: str, target: Path) -> int:
    """Write a fact table and its provenance; return the number of rows.

    Raises UnknownName for an unknown table, SettingRefused for an unsupported format.
    """
    if fmt not in FORMATS:
        raise SettingRefused("--format", f"a whole table cannot be exported as {fmt}. Use {' or '.join(FORMATS)}.")
    table = find(name)
    with target.open("wb") as file:
        rows = _write_batches(batches(connection, table), fmt, file)
    provenance = {**fact_table_provenance(connection, table), "rows": rows, "file_sha256": sha256(target)}
    target.with_name(target.name + PROVENANCE_SUFFIX).write_text(
        json.dumps(provenance, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return rows


class _BatchWriter(Protocol):
    """Writer of Arrow batches: pyarrow's CSVWriter or ParquetWriter."""

    def write_batch(self, batch: "pa.RecordBatch") -> None:
        """Write one batch."""


def _writer(fmt: str, file: IO[bytes], schema: "pa.Schema") -> AbstractContextManager[_BatchWriter]:
    import pyarrow.csv  # slow to import, and only this export needs it
    import pyarrow.parquet

    writer: AbstractContextManager[_BatchWriter]
    if fmt == "csv":
        writer = pyarrow.csv.CSVWriter(file, schema)
    else:
        writer = pyarrow.parquet.ParquetWriter(file, schema, compression="zstd")
    return writer


def _write_batches(found: Iterator["pa.RecordBatch"], fmt: str, file: IO[bytes]) -> int:
    rows = 0
    with _writer(fmt, file, next(found).schema) as writer:
        for batch in found:
            writer.write_batch(_escape_formulas(batch) if fmt == "csv" else batch)
            rows += batch.num_rows
    return rows


def _escape_formulas(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """Put a quote before text that a spreadsheet would run as a formula."""
    import pyarrow
    import pyarrow.compute as pc

    for at, field in enumerate(batch.schema):
        if not pyarrow.types.is_string(field.type):
            continue
        is_formula = pc.match_substring_regex(batch.column(at), FORMULA)
        if pc.any(is_formula).as_py():
            quoted = pc.binary_join_element_wise("'", batch.column(at), "")
            batch = batch.set_column(at, field, pc.if_else(is_formula, quoted, batch.column(at)))
    return batch

"""A whole fact table as a file of a million rows, CSV or Parquet, with what it is beside it; written batch by batch,
never held whole.

The file says what it is in `<name>.provenance.json`, with its own SHA-256: at this size the file is the record, not the
rows in any order.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from dashboard.exports.write import PROVENANCE_SUFFIX
from metrics.errors import SettingRefused
from metrics.facts.arrow_batches import batches, find
from metrics.provenance.provenance import FORMULA, fact_table_provenance

FORMATS = ("csv", "parquet")


def write(connection: Connection, name: str, fmt: str, target: Path) -> int:
    """Write a table and its provenance; returns the rows. Raises UnknownName, and SettingRefused for a format a table
    is not written in.
    """
    if fmt not in FORMATS:
        raise SettingRefused("--format", f"a whole table is written as {' or '.join(FORMATS)}, not {fmt}")
    table = find(name)
    with target.open("wb") as file:
        rows = _written(batches(connection, table), fmt, file)
    told = {**fact_table_provenance(connection, table), "rows": rows, "file_sha256": sha256(target)}
    target.with_name(target.name + PROVENANCE_SUFFIX).write_text(
        json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return rows


def sha256(path: Path) -> str:
    """A file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _written(found: Any, fmt: str, file: Any) -> int:
    import pyarrow.csv  # slow to import, and only this needs it
    import pyarrow.parquet

    first = next(found)
    open_writer: Callable[..., Any] = pyarrow.csv.CSVWriter if fmt == "csv" else pyarrow.parquet.ParquetWriter
    options = {} if fmt == "csv" else {"compression": "zstd"}
    rows = 0
    with open_writer(file, first.schema, **options) as writer:
        for batch in found:
            writer.write_batch(_harmless(batch) if fmt == "csv" else batch)
            rows += batch.num_rows
    return rows


def _harmless(batch: Any) -> Any:
    """Text a spreadsheet would run as a formula, with a quote before it."""
    import pyarrow
    import pyarrow.compute as pc

    for at, field in enumerate(batch.schema):
        if not pyarrow.types.is_string(field.type):
            continue
        live = pc.match_substring_regex(batch.column(at), FORMULA)
        if pc.any(live).as_py():
            quoted = pc.binary_join_element_wise("'", batch.column(at), "")
            batch = batch.set_column(at, field, pc.if_else(live, quoted, batch.column(at)))
    return batch

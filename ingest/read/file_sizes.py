"""Refuse a file that unpacks to much more than its size, before a reader opens it."""

import zipfile
import zlib
from pathlib import Path

import duckdb

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import Kind
from ingest.storage.scratch_database import Connection, sql_literal
from metrics.errors import driver_text
from metrics.file_limits import TooLargeError, check_parquet, check_workbook

UNREADABLE = (EOFError, NotImplementedError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""Errors of a damaged or encrypted archive."""


def refuse_unpacking(connection: Connection, path: Path, kind: Kind | None, object_name: str) -> None:
    """Raise SourceRefused if a workbook or a Parquet file is larger than the limits once it is read."""
    try:
        if kind == "excel" and zipfile.is_zipfile(path):
            check_workbook(path)
        elif kind == "parquet":
            source = sql_literal(str(path))
            rows = connection.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({source})").fetchone()
            columns = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({source})").fetchall()
            check_parquet(int(rows[0] or 0) if rows else 0, len(columns), path.stat().st_size)
    except TooLargeError as error:
        do = "Delete what does not belong to the records, or send them as CSV or in several files."
        raise SourceRefused(object_name, "", str(error), do) from None
    except UNREADABLE as error:
        do = "Save it again as .xlsx without a password, and send the complete file."
        raise SourceRefused(object_name, "", f"the workbook cannot be read ({driver_text(error)})", do) from None
    except duckdb.Error as error:
        do = "Send the complete file again."
        raise SourceRefused(object_name, "", f"the Parquet file cannot be read ({driver_text(error)})", do) from None

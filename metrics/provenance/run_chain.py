"""The hash chain of the run ledger: a run or a file that was changed, added or deleted by hand breaks it.

The hash of a run covers its row in `runs`, its files in `run_files` without their counts, and the hash of the run
before it. The counts follow from the rows; every run checks them.
"""

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from metrics.schema import RowValues, run_files, runs
from metrics.store.audit import Chain

OF_RUN = tuple(column for column in runs.c if column.name != "sha256")
OF_FILE = tuple(run_files.c[name] for name in ("file_id", "source", "feed", "name", "sha256", "rows_staged", "rows_in"))


def hash_of_next(connection: Connection, run: RowValues) -> str:
    """Return the hash of a run whose files are in `run_files`, and which is not in `runs` yet."""
    last = connection.scalar(select(runs.c.sha256).order_by(runs.c.run_id.desc()).limit(1))
    files = select(*OF_FILE).where(run_files.c.run_id == run["run_id"]).order_by(run_files.c.file_id)
    return _hash([run[column.name] for column in OF_RUN], connection.execute(files).all(), last)


def check_runs(connection: Connection) -> Chain:
    """Compute the hash of every run again. Runs before the first hash are those of earlier versions."""
    files: dict[int, list[Sequence[object]]] = {}
    for run_id, *values in connection.execute(select(run_files.c.run_id, *OF_FILE).order_by(run_files.c.file_id)):
        files.setdefault(run_id, []).append(values)
    entries, without_hash, broken = 0, 0, []
    last: str | None = None
    for *values, stored in connection.execute(select(*OF_RUN, runs.c.sha256).order_by(runs.c.run_id)):
        entries += 1
        found = files.pop(values[0], [])
        if stored is None and last is None:
            without_hash += 1
            continue
        if stored != _hash(values, found, last):
            broken.append(int(values[0]))
        last = stored or last
    return Chain(entries, without_hash, last, tuple(sorted({*broken, *files})))


def _hash(run: Sequence[object], files: Sequence[Sequence[object]], before: str | None) -> str:
    parts = [before, list(run), [list(file) for file in files]]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, default=str).encode()).hexdigest()

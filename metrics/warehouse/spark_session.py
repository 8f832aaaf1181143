"""DBAPI connection over Spark Connect, for `spark_dialect.py`.

Spark has no tables that a statement can change. Here a table is a list of Parquet files with a declared schema, and
a temporary view over them. INSERT writes files. DELETE writes the files with deleted rows again and keeps the others.
The files of a table are in a folder that every worker and the Spark Connect server can write.
"""

import re
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # PySpark 4 warns of pandas 3, which it does not need here
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.dataframe import DataFrame as Rows
    from pyspark.sql.connect.plan import SQL
    from pyspark.sql.connect.session import SparkSession

paramstyle = "pyformat"


class Error(Exception):
    """A failure of Spark, of the connection to it, or of the storage. DBAPI's error."""


Parameters = Mapping[str, object]
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.RemoveRedundantAliases",
    "spark.sql.constraintPropagation.enabled": "false",  # it takes minutes for long CASE expressions
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # otherwise a product loses decimals without an error
}
"""Settings of every session, so that expressions mean the same as on the other engines."""
IDLE_SECONDS = 300.0
"""A statement is interrupted if no worker runs a task for so long."""
STEP = "\n--step\n"
"""Text before each common table expression of a statement, and before the rest of it."""
STEPS = "steps"
"""Name of the folder of steps."""
FILE = "_file"
"""Name of the column with a row's file, while a DELETE looks for its rows."""
MONTH = "month"
"""Name of the folders of a table that is partitioned by month."""


@dataclass(frozen=True)
class Columns:
    """Columns of a table: their types, and the day whose month divides the table into files."""

    types: Mapping[str, str]
    """Spark's type of each column."""
    month_of: str | None = None
    """A column of dates. None: the table is not divided."""

    @property
    def ddl(self) -> str:
        """Return the columns as Spark reads a schema."""
        return ", ".join(f"`{name}` {kind}" for name, kind in self.types.items())


class Session:
    """A session on a Spark cluster, and the tables it knows. It has no transactions.

    folder: where it writes tables.
    """

    def __init__(self, url: str, folder: str) -> None:
        self.folder = folder
        self.worked_at = time.monotonic()
        """When a worker last ran a task."""
        self.tables: dict[str, Columns] = {}
        self.files: dict[str, list[str]] = {}
        """Parquet files of each table."""
        with _translated():
            self.spark = SparkSession.builder.remote(url).create()
            # The default policy retries for ten minutes without a word.
            self.spark.client.set_retry_policies([DefaultPolicy(max_retries=6, max_backoff=4000)])
            # PySpark declares a class with this one method.
            self.spark.registerProgressHandler(self._note_work)  # type: ignore[arg-type, unused-ignore]
            for name, value in SETTINGS.items():
                self.spark.conf.set(name, value)

    def _note_work(self, *_: Any, **progress: Any) -> None:  # Any: as in ProgressHandler
        if progress["inflight_tasks"]:
            self.worked_at = time.monotonic()

    def cursor(self) -> "Cursor":
        """Return a new cursor."""
        return Cursor(self)

    def commit(self) -> None:
        """Do nothing: whoever lists the files of the tables publishes them."""

    rollback = commit

    def close(self) -> None:
        """End the session on the server. Files stay."""
        with _translated():
            self.spark.stop()

    def select(self, statement: str, parameters: Parameters) -> DataFrame:
        """Return the rows of a SELECT, which has not run yet. Its steps have run.

        Spark copies a common table expression to every place that names it. A chain of them would take it minutes to
        plan. So the ones that are named several times are written to files first.
        """
        values = {name: literal_text(value) for name, value in parameters.items()}
        head, *steps = statement.split(STEP)
        for number, step in enumerate(steps[:-1]):
            name, _, select = step.partition(" AS \n")
            if name in self.tables:
                raise Error(f"A step of a statement has the name of the table {name}.")
            rows = self.query(select[1:-1] % values)
            uses = re.findall(rf"\b(?:FROM|JOIN) {name}\b", "".join(steps[number + 1 :]))
            if len(uses) > 1:
                folder = f"{self.folder}/{STEPS}/{uuid.uuid4().hex}"
                rows.write.parquet(folder)
                rows = self.spark.read.parquet(folder)
            rows.createOrReplaceTempView(name)
        return self.query((steps[-1] if steps else head) % values)

    def query(self, text: str) -> DataFrame:
        """Return the rows of a SELECT. `SparkSession.sql` would plan it once more, for nothing."""
        return Rows(SQL(text), self.spark)

    def attach(self, name: str, columns: Columns, files: Sequence[str] = ()) -> None:
        """Make a table of existing Parquet files. It replaces a table of that name."""
        self.tables[name], self.files[name] = columns, list(files)
        rows = self._stored(columns, files) if files else self.spark.createDataFrame([], columns.ddl)
        rows.createOrReplaceTempView(name)

    def _stored(self, columns: Columns, files: Sequence[str]) -> DataFrame:
        return self.spark.read.schema(columns.ddl).parquet(*files)

    def drop(self, name: str) -> None:
        """Forget a table. Its files stay."""
        del self.tables[name], self.files[name]
        self.spark.catalog.dropTempView(name)

    def append(self, name: str, rows: DataFrame, names: Sequence[str]) -> None:
        """Write rows as new files of a table. names: the columns of the rows; other columns are null."""
        self.attach(name, self.tables[name], [*self.files[name], *self._written(name, rows, names)])

    def append_rows(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Write values as a new file of a table. Columns without a value are null."""
        columns = self.tables[name]
        values = [tuple(row.get(column) for column in columns.types) for row in rows]
        self.append(name, self.spark.createDataFrame(values, columns.ddl), tuple(columns.types))

    def delete(self, name: str, condition: str | None, parameters: Parameters) -> None:
        """Delete the rows that meet a condition, or all. Only files with such rows are written again."""
        columns, files = self.tables[name], self.files[name]
        if condition is None or not files:
            self.attach(name, columns)
            return
        hit = f"coalesce({condition}, false)"
        self._stored(columns, files).selectExpr("*", f"_metadata.file_path AS {FILE}").createOrReplaceTempView(name)
        found = self.select(f"SELECT DISTINCT {FILE} FROM `{name}` WHERE {hit}", parameters)
        touched = {_path(row[0]) for row in found.collect()}
        if not touched <= {*files}:
            raise Error(f"Spark read files that are not of the table {name}: {sorted(touched - {*files})[:3]}")
        rest: list[str] = []
        if touched:
            self.attach(name, columns, sorted(touched))
            kept = self.select(f"SELECT * FROM `{name}` WHERE NOT {hit}", parameters)
            rest = self._written(name, kept, tuple(columns.types))
        self.attach(name, columns, [*(file for file in files if file not in touched), *rest])

    def _written(self, name: str, rows: DataFrame, names: Sequence[str]) -> list[str]:
        """Write rows as Parquet, cast to the types of a table. Return the files."""
        columns = self.tables[name]
        folder = f"{self.folder}/{name}/{uuid.uuid4().hex}"
        given = {name: f"`{name}`" for name in names}
        cast = rows.toDF(*names).selectExpr(
            *[f"CAST({given.get(name, 'NULL')} AS {kind}) AS `{name}`" for name, kind in columns.types.items()]
        )
        if columns.month_of is None:
            cast.write.parquet(folder)
        else:
            month = cast.selectExpr("*", f"CAST(date_trunc('month', `{columns.month_of}`) AS DATE) AS {MONTH}")
            month.repartition(MONTH).write.partitionBy(MONTH).parquet(folder)
        return sorted(_path(file) for file in self._stored(columns, [folder]).inputFiles())

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Interrupt statements that no worker runs, and raise DBAPI's errors."""
        ended, late = Event(), Event()
        self.worked_at = time.monotonic()

        def watch() -> None:
            while not ended.wait(1.0):
                if time.monotonic() - self.worked_at > IDLE_SECONDS:
                    late.set()
                    self.spark.interruptAll()
                    return

        Thread(target=watch, daemon=True).start()
        try:
            with _translated():
                yield
        except Error as error:
            if late.is_set():
                raise Error(f"No worker of the cluster ran a task for {IDLE_SECONDS:.0f} seconds") from error
            raise
        finally:
            ended.set()


connect = Session


class Cursor:
    """A DBAPI cursor, without rows: `spark_dialect.py` gives them to the result."""

    description = None
    rowcount = -1

    def __init__(self, session: Session) -> None:
        self.session = session

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def _translated() -> Iterator[None]:
    """Raise DBAPI's error for an error of Spark or of the connection."""
    try:
        with warnings.catch_warnings():
            # Beside the error, which says more.
            warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]", category=UserWarning)
            yield
    except PySparkException as error:
        text = str(error).partition("\n\nJVM stacktrace")[0]
        if "StatusCode.UNAVAILABLE" in text:  # the text of gRPC says no more to a user
            text = "the Spark Connect server does not respond"
        raise Error(text) from error


def literal_text(value: object) -> str:
    """Return a value as text of a statement. Spark runs its whole optimizer for each bound value."""
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    if isinstance(value, Decimal):  # numbers in parentheses, because two minus signs begin a comment
        return f"({value:f}BD)"
    if isinstance(value, int | float):
        return f"({value!r}{'D' if isinstance(value, float) else ''})"
    if isinstance(value, date):  # a moment is a date, too
        kind = "TIMESTAMP_NTZ" if isinstance(value, datetime) else "DATE"
        return f"{kind}'{value}'"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _path(address: str) -> str:
    """Return the path of a local file, or the address of an object store, as Spark reads it."""
    return unquote(re.sub("^file:/+", "/", address))

"""Tables of a generation as Parquet files of the lake: write them, read them back, and show them as views."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Select, Table, func, inspect, literal, select

from metrics.schema import FEEDS, orders
from metrics.warehouse.instances import quoted
from metrics.warehouse.lake import CANONICAL, Partition, share

WHOLE = "all"
"""The only partition of a table whose rows have no order."""
UNKNOWN = "none"
"""The partition of rows whose order is unknown."""


def store_by_month(
    connection: Connection, folder: Path, run: str, table: Table, before: Mapping[str, Partition]
) -> dict[str, Partition]:
    """Write the months of a canonical table whose rows differ from those of an earlier run. Return all months."""
    divided = table.name in FEEDS and "order_id" in table.c
    month = month_of_order() if divided else literal(WHOLE)
    rows = select(*table.c, month.label("month"))
    if divided and table is not orders:
        rows = rows.outerjoin_from(table, orders, orders.c.order_id == table.c.order_id)
    listed = rows.subquery()
    checksum = func.sum(func.hash(*[listed.c[column.name] for column in table.c]))
    found = {
        str(name): (int(count), str(total))
        for name, count, total in connection.execute(
            select(listed.c.month, func.count(), checksum).group_by(listed.c.month)
        )
    }
    kept = {name: one for name, one in before.items() if found.get(name) == (one.rows, one.checksum)}
    written: dict[str, list[str]] = {name: [] for name in found.keys() - kept.keys()}
    if written:
        target = folder / CANONICAL / table.name / run
        for file in copy_out(connection, select(*listed.c).where(listed.c.month.in_(written)), target, by="month"):
            written[file.parent.name.partition("=")[2]].append(str(file.relative_to(folder)))
    return kept | {name: Partition(files, *found[name]) for name, files in written.items()}


def month_of_order() -> ColumnElement[str]:
    """Return the month of an order, as "2026-05"."""
    return func.coalesce(func.strftime(orders.c.ordered_at, "%Y-%m"), UNKNOWN)


def copy_out(
    connection: Connection, rows: Select[*tuple[object, ...]], target: Path, *, by: str | None = None
) -> list[Path]:
    """Write the rows of a SELECT as Parquet files into a new folder. by: a column with a folder for each value."""
    target.mkdir(parents=True)
    text = rows.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    place, division = (target, f", PARTITION_BY ({by})") if by is not None else (target / "rows.parquet", "")
    connection.exec_driver_sql(f"COPY ({text}) TO {_texts(place)} (FORMAT parquet, COMPRESSION zstd{division})")
    for path in (target.parent, target, *sorted(target.rglob("*"))):
        share(path)
    return sorted(target.rglob("*.parquet"))


def _as_select(
    connection: Connection, table: Table, files: Sequence[Path], present: Collection[str] | None = None
) -> str:
    """Return the SELECT of a table's rows from Parquet files, with the columns and types of the table.

    present: columns of the files; the others are null. None: the files have every column.
    """
    has = () if not files else table.c.keys() if present is None else present
    columns = ", ".join(
        f"CAST({quoted(column.name) if column.name in has else 'NULL'} AS {column.type.compile(connection.dialect)}) "
        f"AS {quoted(column.name)}"
        for column in table.c
    )
    return f"SELECT {columns} " + (f"FROM {_parquet(files, by_name=present is not None)}" if files else "LIMIT 0")


def _parquet(files: Iterable[Path], *, by_name: bool) -> str:
    """Return the table function. by_name: files can have different columns, so DuckDB reads the columns of each."""
    names = _texts(*files)
    return f"read_parquet([{names}], hive_partitioning = false, union_by_name = {str(by_name).lower()})"


def _texts(*paths: Path) -> str:
    """Return paths as texts of SQL."""
    return ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)


def columns_of(connection: Connection, files: Sequence[Path]) -> dict[str, str]:
    """Return the columns of Parquet files with DuckDB's type."""
    return _described(connection, f"SELECT * FROM {_parquet(files, by_name=True)}") if files else {}


def types_of(connection: Connection, table: Table) -> dict[str, str]:
    """Return the columns of a table with DuckDB's type."""
    return _described(connection, _as_select(connection, table, ()))


def _described(connection: Connection, rows: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in connection.exec_driver_sql(f"DESCRIBE {rows}")}


def create_view(
    connection: Connection, table: Table, files: Sequence[Path], present: Collection[str] | None = None
) -> None:
    """Show the rows of Parquet files as a view with the name of the table. present: the columns of the files."""
    connection.exec_driver_sql(f"CREATE VIEW {quoted(table.name)} AS {_as_select(connection, table, files, present)}")


def load_rows(connection: Connection, table: Table, files: Sequence[Path]) -> None:
    """Create a stored table again, with the rows of Parquet files."""
    table.drop(connection, checkfirst=True)
    table.create(connection)
    connection.exec_driver_sql(f"INSERT INTO {quoted(table.name)} {_as_select(connection, table, files)}")


def drop_all(connection: Connection, tables: Iterable[Table]) -> None:
    """Drop these tables, and the views with their names."""
    views = inspect(connection).get_view_names()
    for table in tables:
        kind = "VIEW" if table.name in views else "TABLE"
        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quoted(table.name)}")


def is_view(connection: Connection, table: Table) -> bool:
    """Return if a view has the name of the table."""
    return table.name in inspect(connection).get_view_names()

"""Tables of a generation as Parquet files of the lake: write them, read them back, and show them as views."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal, select

from metrics.schema import FEEDS, orders
from metrics.warehouse.instances import quoted
from metrics.warehouse.lake import CANONICAL, Partition, share

WHOLE = "all"
"""The only partition of a table whose rows have no order."""
UNKNOWN = "none"
"""The partition of rows whose order is unknown."""
OPTIONS = "FORMAT parquet, COMPRESSION zstd"


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
    changed = [
        name
        for name, (count, total) in sorted(found.items())
        if name not in before or (before[name].rows, before[name].checksum) != (count, total)
    ]
    written: dict[str, list[str]] = {}
    if changed:
        target = folder / CANONICAL / table.name / run
        files = copy_out(connection, select(*listed.c).where(listed.c.month.in_(changed)), target, by="month")
        for file in files:
            name = file.parent.name.partition("=")[2]
            written.setdefault(name, []).append(str(file.relative_to(folder)))
    return {
        name: Partition(sorted(written[name]), count, total) if name in written else before[name]
        for name, (count, total) in sorted(found.items())
    }


def month_of_order() -> ColumnElement[str]:
    """Return the month of an order, as "2026-05"."""
    return func.coalesce(func.strftime(orders.c.ordered_at, "%Y-%m"), UNKNOWN)


def copy_out(
    connection: Connection, rows: Select[*tuple[object, ...]], target: Path, *, by: str | None = None
) -> list[Path]:
    """Write the rows of a SELECT as Parquet files into a new folder. by: a column with a folder for each value."""
    target.mkdir(parents=True)
    text = str(rows.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    place = str(target if by is not None else target / "rows.parquet").replace("'", "''")
    division = f", PARTITION_BY ({by})" if by is not None else ""
    result = connection.exec_driver_sql(f"COPY ({text}) TO '{place}' ({OPTIONS}{division}, RETURN_FILES true)")
    files = sorted(Path(file) for row in result for file in row[1])
    lake = next(above for above in target.parents if (above / CANONICAL).is_dir())
    for path in (target.parent, target, *target.rglob("*")):
        share(path, lake)
    return files


def _as_select(
    connection: Connection, table: Table, files: Sequence[Path], present: Collection[str] | None = None
) -> str:
    """Return the SELECT of a table's rows from Parquet files, with the columns and types of the table.

    present: columns of the files; the others are null. None: the files have every column.
    """
    compiled = {column.name: column.type.compile(connection.dialect) for column in table.c}
    has = () if not files else compiled if present is None else present
    columns = ", ".join(
        f"CAST({quoted(name) if name in has else 'NULL'} AS {kind}) AS {quoted(name)}"
        for name, kind in compiled.items()
    )
    return f"SELECT {columns} " + (f"FROM {_parquet(files, by_name=present is not None)}" if files else "LIMIT 0")


def _parquet(files: Iterable[Path], *, by_name: bool) -> str:
    """Return the table function. by_name: files can have different columns, so DuckDB reads the columns of each."""
    names = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{names}], hive_partitioning = false, union_by_name = {str(by_name).lower()})"


def columns_of(connection: Connection, files: Sequence[Path]) -> dict[str, str]:
    """Return the columns of Parquet files with DuckDB's type."""
    if not files:
        return {}
    described = connection.exec_driver_sql(f"DESCRIBE SELECT * FROM {_parquet(files, by_name=True)}")
    return {str(row[0]): str(row[1]) for row in described}


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
    for table in tables:
        kind = "VIEW" if is_view(connection, table) else "TABLE"
        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quoted(table.name)}")


def is_view(connection: Connection, table: Table) -> bool:
    """Return if a view has the name of the table."""
    found = connection.exec_driver_sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").scalars()
    return table.name in set(found)

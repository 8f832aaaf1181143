"""The SQLAlchemy dialect of DuckDB."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    delete,
    exc,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer

from metrics.warehouse.duckdb_dialect import KEYWORDS, DuckDBDialect
from metrics.warehouse.duckdb_session import Session

numbers = Table("numbers", MetaData(), Column("n", Integer), Column("half", Numeric(38, 1)))
every_type = Table(
    "every_type",
    MetaData(),
    *[Column(f"c_{kind.__visit_name__}", kind) for kind in (Date(), DateTime(), Boolean(), String(), Numeric(18, 4))],
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"duckdb:///{tmp_path / 'a.duckdb'}?threads=1")
    with engine.connect() as connection:
        numbers.create(connection)
        connection.execute(insert(numbers), [{"n": n, "half": Decimal(n) / 2} for n in range(2_500)])
        connection.commit()
        yield connection
    engine.dispose()


def test_a_result_stays_readable_while_other_statements_run(connection: Connection) -> None:
    """Each connection of DuckDB has one open result, so a later statement would cut the earlier one off."""
    ordered = select(numbers.c.n).order_by(numbers.c.n)
    first = connection.execute(ordered)
    assert first.fetchone() == (0,)
    second = connection.execution_options(yield_per=1_000).execute(ordered)
    assert next(second) == (0,)
    connection.execute(update(numbers).where(numbers.c.n == 0).values(n=-1))
    connection.commit()
    assert [n for (n,) in first] == [n for (n,) in second] == list(range(1, 2_500))
    discarded = connection.execute(ordered)
    discarded.close()
    assert connection.scalar(select(func.count()).select_from(numbers)) == 2_500


def test_writes_count_their_rows_and_return_them_on_request(connection: Connection) -> None:
    low = numbers.c.n < 10
    changed = connection.execute(update(numbers).where(low).values(half=0))
    assert (changed.returns_rows, changed.rowcount) == (False, 10)
    assert connection.execute(insert(numbers).from_select(["n"], select(numbers.c.n).where(low))).rowcount == 10
    returned = connection.execute(delete(numbers).where(numbers.c.n == 3).returning(numbers.c.n, numbers.c.half))
    assert returned.all() == [(3, Decimal(0)), (3, None)]
    assert connection.execute(text('SELECT 7 AS "Count"')).all() == [(7,)]


def test_a_transaction_commits_or_rolls_back_and_autocommit_has_none(connection: Connection) -> None:
    connection.execute(delete(numbers))
    connection.rollback()
    connection.rollback()
    assert connection.scalar(select(func.count()).select_from(numbers)) == 2_500
    with duckdb.connect() as driver:
        session = Session(driver, autocommit=True)
        session.begin()
        cursor = session.cursor()
        cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
        cursor.execute("SELECT a FROM t")
        session.rollback()
        assert cursor.fetchall() == [(1,)]


def test_values_of_every_type_are_returned_unchanged(connection: Connection) -> None:
    row = (
        date(2026, 2, 28),
        datetime(2026, 2, 28, 23, 59, 59, 999999),
        True,
        "a 'quoted' $1 %s :x",
        Decimal("-0.0001"),
    )
    names = every_type.c.keys()
    every_type.create(connection)
    connection.execute(insert(every_type), [dict(zip(names, values, strict=True)) for values in (row, (None,) * 5)])
    assert connection.execute(select(every_type)).all() == [row, (None,) * 5]
    assert connection.scalar(select(every_type.c.c_numeric).where(every_type.c.c_numeric < Decimal("1E+5"))) == row[-1]


def test_numeric_expressions_are_returned_as_decimals(connection: Connection) -> None:
    half = numbers.c.half
    row = connection.execute(
        select(half / 2, func.sum(half).over(), func.sum(numbers.c.n, type_=Numeric(38, 0)).over()).where(half == 1)
    ).one()
    assert row == (Decimal("0.5"), Decimal("1.0"), Decimal(2))
    assert {type(value) for value in row} == {Decimal}


def test_an_expression_with_values_can_be_selected_and_grouped(connection: Connection) -> None:
    group = numbers.c.n % 2 + 10
    assert connection.execute(select(group, func.count()).group_by(group).order_by(group)).all() == [
        (10, 1_250),
        (11, 1_250),
    ]


def test_names_are_quoted_if_this_version_of_duckdb_requires_it() -> None:
    rows = duckdb.connect().execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
    )
    assert {name for (name,) in rows.fetchall()} <= KEYWORDS | PGIdentifierPreparer.reserved_words
    assert DuckDBDialect().identifier_preparer.quote("qualify") == '"qualify"'


def test_tables_views_and_columns_are_found(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE VIEW doubled AS SELECT n * 2 AS twice FROM numbers")
    connection.exec_driver_sql("CREATE TEMPORARY TABLE short_lived (x INTEGER)")
    found = inspect(connection)
    assert (found.get_table_names(), found.get_view_names()) == (["numbers", "short_lived"], ["doubled"])
    assert [name for name in ("numbers", "doubled", "short_lived", "gone") if not found.has_table(name)] == ["gone"]
    assert [column["name"] for column in found.get_columns("numbers")] == ["n", "half"]
    with pytest.raises(exc.NoSuchTableError):
        found.get_columns("gone")
    every_type.metadata.create_all(connection)
    every_type.metadata.create_all(connection)


def test_a_read_only_address_opens_the_file_read_only_with_its_settings(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "a.duckdb")).close()
    engine = create_engine(f"duckdb:///{tmp_path / 'a.duckdb'}?read_only=true&threads=1")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_setting('threads')")) == 1
        with pytest.raises(exc.DBAPIError, match="read-only") as raised:
            connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    engine.dispose()
    assert isinstance(raised.value.orig, duckdb.Error)

"""Statements on Spark: values are part of the text, and tables are lists of files."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Date,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    insert,
    literal,
    null,
    select,
)
from sqlalchemy.pool import NullPool

from benchmarks.cluster import Cluster
from metrics.sql.dialects import whole_quotient

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(300)]

VALUES: tuple[object, ...] = (
    'it\'s 50% of \\ "a"\n--step\n%(b)s :c',
    "ends with \\",
    "",
    5,
    -5,
    2**40,
    -2e-7,
    Decimal("1.50"),
    Decimal("-0.0001"),
    True,
    False,
    date(2026, 1, 2),
    datetime(2026, 3, 29, 2, 30, 0, 678),
)


def test_values_and_changed_rows_come_back(spark_cluster: Cluster, tmp_path: Path) -> None:
    dialect = pytest.importorskip("metrics.warehouse.spark_dialect", reason="PySpark is not installed")
    columns = (Column("name", String), Column("day", Date), Column("number", Integer))
    table = Table("things", MetaData(), *columns, info={"grain": "thing"})
    rows = [(f"O'{number}\\", date(2026, 1 + number % 3, 1), -number) for number in range(6)]
    engine = create_engine(spark_cluster.url, poolclass=NullPool, connect_args={"folder": str(tmp_path)})
    with engine.connect() as connection:
        escaped = [literal("50% \\ of").like("50\\%%", escape="\\"), literal("50_\\").endswith("_\\", autoescape=True)]
        seven, two = literal(Decimal(7)), literal(Decimal(2))
        quotient = whole_quotient(seven + two, two + two) == two  # the terms keep their place
        found = connection.execute(select(null(), *[literal(value) for value in VALUES], *escaped, quotient)).one()
        assert repr(tuple(found)) == repr((None, *VALUES, True, True, True))
        table.create(connection)
        connection.execute(insert(table), [dict(zip(table.c.keys(), row, strict=True)) for row in rows])
        twice = select(table).where(table.c.name != rows[1][0]).cte("twice")
        one, other = twice.alias("one"), twice.alias("other")
        doubled = select(one.c.name, one.c.day, other.c.number * 2).join_from(one, other, one.c.name == other.c.name)
        connection.execute(insert(table).from_select(table.c.keys(), doubled.where(other.c.number < -3)))
        before = set(dialect.session_of(connection).files[table.name])
        connection.execute(delete(table).where(table.c.name == rows[4][0], table.c.number < literal(-5)))
        stored = connection.execute(select(table).order_by(table.c.number)).all()
        assert [tuple(row) for row in stored] == [(*rows[5][:2], -10), *reversed(rows)]
        kept = before & set(dialect.session_of(connection).files[table.name])
        assert len(before) - 1 == len(kept)
    engine.dispose()

"""Data published by an earlier version of Buyerview: readers refuse them, and the next run rebuilds them."""

from datetime import date

import pytest
from sqlalchemy import select

from metrics.errors import GenerationOutdated
from metrics.facts.orders import order_facts_table
from metrics.queries.scope import reading
from metrics.warehouse import writing
from tests.ingest.files import Source


def test_data_of_an_older_version_are_refused_until_a_run_rebuilds_them(any_source: Source) -> None:
    any_source.take_in()
    place = any_source.location
    with writing(place) as build:
        build.connection.exec_driver_sql("ALTER TABLE orders DROP COLUMN order_type")
        build.connection.exec_driver_sql("ALTER TABLE order_facts DROP COLUMN first_promised_day")
        build.publish()
    message = "data version 2 was published by another version of Buyerview and has no orders.order_type. Run `buyer"
    for scope in ((), (("customer", ("C1",)),)):
        with pytest.raises(GenerationOutdated, match=message), reading(place, scope):
            pass
    assert any_source.take_in().outcome == "published", "no file is new"
    with reading(place) as connection:
        promised = connection.scalars(select(order_facts_table.c.first_promised_day).distinct()).all()
    assert promised == [date(2026, 3, 10)]
    assert any_source.take_in().outcome == "unchanged"

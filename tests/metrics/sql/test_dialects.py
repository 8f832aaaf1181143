"""SQL functions that every engine must answer alike."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, DateTime, literal, select

from metrics.sql.dialects import seconds_between
from tests.support.engines import ENGINES, empty


@pytest.fixture(params=ENGINES)
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with empty(request) as opened:
        yield opened


def test_seconds_between_two_instants_are_rounded_down(connection: Connection) -> None:
    begin = literal(datetime(2026, 3, 1, 12), DateTime)
    spans = [timedelta(seconds=seconds) for seconds in (0, 1.5, -1.5, -0.000001, -2, 9e9, -6e10)]
    ends = [literal(datetime(2026, 3, 1, 12) + span, DateTime) for span in spans]
    found = connection.execute(select(*[seconds_between(begin, end) for end in ends])).one()
    assert list(found) == [span // timedelta(seconds=1) for span in spans]

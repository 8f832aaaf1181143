"""Random contacts and the comparison of their measures with a count in plain Python."""

from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from tests.reference import random_contacts
from tests.support.ask_measures import one
from tests.support.builders import Records

Facts = dict[str, dict[str, Any]]  # Any: values of table rows
"""Rows of a fact table by key."""

ORDERS = 150

RECORDS: Records = random_contacts.drawn(seed=3, orders=ORDERS)


def counted(connection: Connection, measure: str) -> tuple[object, ...]:
    counts = one(connection, measure)
    return counts.numerator, counts.denominator, counts.unknown


def waited(
    connection: Connection, measure: str, waits: list[tuple[int, bool]], fraction: Fraction, ticks: int = 3600
) -> None:
    asked, expected = one(connection, measure), random_contacts.waiting(waits, fraction)
    assert (asked.numerator, asked.denominator) == (sum(ended for _, ended in waits), len(waits))
    assert asked.value == (None if expected is None else expected / ticks)

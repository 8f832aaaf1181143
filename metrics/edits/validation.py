"""Validation of edits: known names, known scopes, numbers within their range.

A refusal is a ValueError that says what is wrong and what to enter instead.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation

from sqlalchemy import Connection, literal, select

from metrics.edits.edits import Edit, value_columns
from metrics.facts.assumptions import ASSUMPTIONS, EVERYONE
from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import MEASURES, canonical, dimension_column
from metrics.measures.package_terms import DEFAULT_PACKAGES
from metrics.model.measure import Direction, Unit
from metrics.schema import Row, customers, service_packages

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
MOST = 1_000_000_000
DECIMALS = 6
"""Decimal places that the feeds store."""
WINDOWS = ("hour", "day", "week")
SUPPORT = ("dedicated_rep", "next_available_rep", "web")


def validate_edit(connection: Connection, edit: Edit) -> Edit:
    """Return the edit with its values trimmed and normalised. Measures, segments and customers are those of the
    generation.

    Raises ValueError that says what is wrong and what to enter.
    """
    if not FIRST <= edit.valid_from <= LAST:
        raise ValueError(f"an edit cannot start on {edit.valid_from}: choose a day from {FIRST} to {LAST}")
    values = {name: (text or "").strip() or None for name, text in edit.values.items()}
    if edit.feed == "service_packages":
        return replace(edit, values=_package(connection, edit.key[0], values))
    name, scope = edit.key
    _check_scope(connection, scope)
    return replace(edit, values=_assumption(name, values) if edit.feed == "assumptions" else _target(name, values))


def _assumption(name: str, values: Mapping[str, str | None]) -> Row:
    known = ASSUMPTIONS.get(name)
    if known is None:
        raise ValueError(f"there is no assumption named {name}")
    number = _number(known.title, values.get("assumed_value"), most=1 if known.unit.startswith("share") else MOST)
    if known.unit == "1 or 0" and number not in ("0", "1"):
        raise ValueError(f"{known.title}: enter 1 (yes) or 0 (no)")
    if name in ("lost_k", "z") and Decimal(number) == 0:
        raise ValueError(f"{known.title}: enter a number above 0")
    return {"assumed_value": number}


def _target(name: str, values: Mapping[str, str | None]) -> Row:
    measure = MEASURES.get(canonical(name))
    if measure is None:
        raise ValueError(f"there is no measure named {name}")
    if measure.direction is Direction.NEITHER:
        raise ValueError(f"{measure.title}: a target needs a measure for which higher or lower is better")
    most = 1 if measure.unit is Unit.SHARE else MOST
    least = -MOST if measure.unit is Unit.MONEY else 0
    tolerance = values.get("tolerance")
    return {
        "target_value": _number(f"Target of {measure.title}", values.get("target_value"), least=least, most=most),
        "tolerance": None if tolerance is None else _number("Tolerance", tolerance, most=most),
    }


def _package(connection: Connection, segment: str, values: Mapping[str, str | None]) -> Row:
    if segment not in _segments(connection):
        raise ValueError(f"segment {segment!r} has neither customers nor a package: choose an existing segment")
    package: Row = {name: values.get(name) for name in value_columns("service_packages")}
    for name, title in (("defect_share_max", "Defects"), ("order_fill_min", "Order fill")):
        if package[name] is not None:
            package[name] = _number(title, package[name], most=1)
    if package["lead_time_days_max"] is not None:
        package["lead_time_days_max"] = _number(
            "Lead time", package["lead_time_days_max"], least=1, most=3650, decimals=0
        )
    for name, title, words in (("delivery_window", "Delivery time", WINDOWS), ("support_level", "Support", SUPPORT)):
        if package[name] is not None and package[name] not in words:
            raise ValueError(f"{title}: {package[name]!r} is not allowed: choose one of {', '.join(words)}")
    if not any(package.values()):
        raise ValueError("the package is empty: fill at least one row")
    return package


def _number(title: str, text: str | None, *, least: int = 0, most: int = MOST, decimals: int = DECIMALS) -> str:
    if text is None:
        raise ValueError(f"{title}: enter a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{title}: {text!r} is not a number") from None
    if not number.is_finite() or not least <= number <= most:
        share = " (a share: 25 % is 0.25)" if most == 1 else ""
        raise ValueError(f"{title}: {text} is out of range: enter a number from {least:,} to {most:,}{share}")
    if number != round(number, decimals):
        raise ValueError(
            f"{title}: enter a whole number"
            if decimals == 0
            else f"{title}: {text} has more than {decimals} decimals: round it"
        )
    return format(number.normalize(), "f") if number else "0"


def _check_scope(connection: Connection, scope: str) -> None:
    kind, _, name = scope.partition(":")
    if scope == EVERYONE:
        return
    if kind == "segment" and name in _segments(connection):
        return
    if (
        kind == "customer"
        and connection.execute(select(literal(1)).where(customers.c.customer_id == name).limit(1)).first()
    ):
        return
    if (
        kind == "customer"
        and connection.execute(select(literal(1)).where(order_facts_table.c.customer_id == name).limit(1)).first()
    ):
        return
    raise ValueError(
        f"{scope!r} is not in these data: enter all, or segment:A or customer:ID of an existing segment or customer"
    )


def _segments(connection: Connection) -> set[str]:
    used = connection.scalars(select(order_facts_table.c[dimension_column("segment")]).distinct())
    return {
        *used,
        *(package.segment for package in DEFAULT_PACKAGES),
        *connection.scalars(select(service_packages.c.service_segment).distinct()),
    }

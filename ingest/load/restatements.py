"""Changes that a new version of a record makes, for `restatements`."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import RowMapping

from metrics.schema import FEEDS, PROVENANCE


def content_columns(feed: str) -> list[str]:
    """Return the columns that form the content of a record: neither keys nor provenance."""
    table = FEEDS[feed].table
    return [
        column.name
        for column in table.columns
        if column.name == "deleted" or (column.name not in (*PROVENANCE, *FEEDS[feed].key))
    ]


def restated_rows(feed: str, run_id: int, pairs: Iterable[RowMapping]) -> Iterable[dict[str, object]]:
    """Yield rows of `restatements`.

    pairs: each record before and after, as columns prefixed with `old_` and `new_`.
    """
    for pair in pairs:
        changed = [
            content_column
            for content_column in content_columns(feed)
            if pair[f"old_{content_column}"] != pair[f"new_{content_column}"]
        ]
        if changed:
            why = "correction"
            if pair["old_deleted"] != pair["new_deleted"]:
                why = "deletion" if pair["new_deleted"] else "undeletion"
            yield {
                "run_id": run_id,
                "feed": feed,
                "key": as_json({column: pair[f"new_{column}"] for column in FEEDS[feed].key}),
                "before": as_json({row: pair[f"old_{row}"] for row in changed}),
                "after": as_json({row: pair[f"new_{row}"] for row in changed}),
                "why": why,
            }


def as_json(values: Mapping[str, object]) -> str:
    """Return canonical values as JSON, with decimals and moments as text."""
    return json.dumps({one: _plain(value) for one, value in values.items()}, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime | date) else value

"""One Great Expectations suite per feed, run inside the engine on the feed's staging table. The only module that
imports the library.

What is expected is in row_rules.py. Source: faults 3.2.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from duckdb_sqlalchemy import ConnectionWrapper
from sqlalchemy.pool import StaticPool

from ingest.errors import RunAborted
from ingest.read.staging import table_of
from ingest.storage.scratch_database import Connection, name
from ingest.validate.row_rules import Rule


@dataclass(frozen=True)
class Outcome:
    """One rule over one feed: how many rows were looked at, and the staged rows (`rowid`) that broke it."""

    rule: Rule
    rows_checked: int
    broken: tuple[int, ...]


def create_view(connection: Connection, feed: str, suite: Iterable[Rule]) -> None:
    """The view the suite is run on: every staged row with its number `_row` and one boolean per claim."""
    claims = "".join(f", {one.claim} AS {name(one.tested)}" for one in suite if one.claim is not None)
    connection.execute(
        f"CREATE VIEW {name(f'check_{feed}')} AS SELECT rowid AS _row, *{claims} FROM {name(table_of(feed))}"
    )


def validate(
    staging: Connection, suites: dict[str, tuple[Rule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Run every feed's suite. staged: rows staged per feed, which must be the rows the library sees.

    staging: the connection staging was done on, with nothing left uncommitted: the library sees committed rows only.
    Raises RunAborted if an expectation raised.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        # a plain mapping is what its configuration reads
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        source = context.data_sources.add_sql(
            "staging",
            connection_string="duckdb://",
            create_temp_table=False,
            kwargs={  # type: ignore[call-arg]  # a field of the data source its signature leaves out
                # A cursor of the connection there is: two engines on one file would have to agree on every option.
                "creator": lambda: ConnectionWrapper(staging.cursor()),
                "poolclass": StaticPool,
                # Without these three GX closes the connection before it fetches (great_expectations 1.24, issues 11579
                # and 10738).
                "isolation_level": "AUTOCOMMIT",
                "skip_autocommit_rollback": True,
                "pool_reset_on_return": None,
            },
        )
        return {
            feed: _run_suite(gx, source, staging, feed, suite, staged[feed])
            for feed, suite in suites.items()
            if staged[feed]
        }


def _run_suite(
    gx: Any, source: Any, staging: Connection, feed: str, suite: tuple[Rule, ...], rows: int
) -> list[Outcome]:
    batch = source.add_table_asset(feed, table_name=f"check_{feed}").add_batch_definition_whole_table(feed).get_batch()
    expectations = [_expectation(gx, one) for one in suite]
    count = gx.expectations.ExpectTableRowCountToEqual(value=rows)
    result = batch.validate(
        gx.ExpectationSuite(name=feed, expectations=[*expectations, count]),
        result_format={
            "result_format": "BOOLEAN_ONLY",
            "unexpected_index_column_names": ["_row"],
            "return_unexpected_index_query": True,
        },
    )
    refuse_exceptions(result, feed)
    by_rule: dict[str | None, dict[str, Any]] = {
        one.expectation_config.kwargs.get("column"): {} for one in result.results
    }
    for one in result.results:
        by_rule[one.expectation_config.kwargs.get("column")][one.expectation_config.type] = one
    if not by_rule[None]["expect_table_row_count_to_equal"].success:
        raise RunAborted(f"Validation of {feed} did not see the {rows} rows staged.")
    outcomes = []
    for rule, expectation in zip(suite, expectations, strict=True):
        one = by_rule[rule.tested][expectation.expectation_type]
        broken: tuple[int, ...] = ()
        if not one.success:
            query = one.result["unexpected_index_query"]
            broken = tuple(int(row[0]) for row in staging.execute(query).fetchall())
        outcomes.append(Outcome(rule, rows, broken))
    return outcomes


def _expectation(gx: Any, rule: Rule) -> Any:
    if rule.kind == "present":
        return gx.expectations.ExpectColumnValuesToNotBeNull(column=rule.tested)
    if rule.kind == "between":
        return gx.expectations.ExpectColumnValuesToBeBetween(
            column=rule.tested, min_value=rule.low, max_value=rule.high
        )
    allowed = list(rule.allowed) if rule.kind == "in_set" else [True]
    return gx.expectations.ExpectColumnValuesToBeInSet(column=rule.tested, value_set=allowed)


def refuse_exceptions(result: Any, feed: str) -> None:
    """Raises RunAborted if any expectation raised: its result is empty then, which must never pass for a good one.

    The library gives `exception_info` flat, or keyed by metric; both shapes are read.
    """
    for one in result.results:
        info = one.exception_info or {}
        raised = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
        for part in raised:
            if part.get("raised_exception"):
                what = f"{one.expectation_config.type} on {one.expectation_config.kwargs.get('column')}"
                raise RunAborted(
                    f"Validation of {feed} could not be done: {what} raised {part.get('exception_message')}."
                )

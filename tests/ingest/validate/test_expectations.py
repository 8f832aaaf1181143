"""Rules of single rows, feed by feed. An expectation that raises an error never passes as met."""

import csv
import json
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from sqlalchemy import select

from ingest.errors import RunAborted
from ingest.read.staging import staging_table
from ingest.validate.expectations import judge_rows, refuse_exceptions, validate
from ingest.validate.row_rules import RowRule
from metrics.schema import FEEDS
from metrics.warehouse import reading
from tests.ingest.files import Source, add, kept


def result(info: dict[str, Any]) -> Any:
    config = SimpleNamespace(type="expect", kwargs={"column": "c"})
    return SimpleNamespace(results=[SimpleNamespace(exception_info=info, expectation_config=config)])


def test_both_shapes_of_a_raised_exception_abort_the_run() -> None:
    raised = {"raised_exception": True, "exception_message": "no such column"}
    for info in (raised, {"metric id": raised}):
        with pytest.raises(RunAborted, match="no such column"):
            refuse_exceptions(result(info))
    refuse_exceptions(result({"raised_exception": False}))


def test_all_failing_rows_are_found_and_a_missing_column_aborts_the_run() -> None:
    staging = duckdb.connect()
    staging.execute(f"CREATE TABLE {staging_table('orders')} AS SELECT n AS q FROM range(1000) AS r(n)")
    even = RowRule("even", "q", "true", "Make it even.", claim="q % 2 = 0")
    small = RowRule("small", "q", "between", "Make it small.", low=0, high=900)
    judge_rows(staging, {"orders": (even, small)})
    outcomes = validate(staging, {"orders": (even, small)}, {"orders": 1000})["orders"]
    assert [(one.rule.name, one.rows_checked, len(one.broken)) for one in outcomes] == [
        ("even", 1000, 500),
        ("small", 1000, 99),
    ]
    assert outcomes[0].broken[:3] == (1, 3, 5)
    assert outcomes[1].broken[0] == 901
    with pytest.raises(RunAborted, match="did not see the 7 rows"):
        validate(staging, {"orders": (even, small)}, {"orders": 7})
    staging.execute("DROP TABLE row_verdicts")
    with pytest.raises(RunAborted, match="no_such_column"):
        judge_rows(staging, {"orders": (RowRule("gone", "no_such_column", "present", "x"),)})
    staging.close()


ROWS: dict[str, str] = {
    "promises": """order_id,line_no,revision_no,promised_by,changed_at,changed_by,basis,expect
O1,1,1,2026-03-10,2026-03-02,seller,ATP,
O1,1,0,2026-03-10,2026-03-02,seller,ATP,revision_no_in_range
O1,1,2,2026-03-10,2026-03-02,carrier,ATP,changed_by_in_set
O1,1,3,2026-03-10,2026-03-02,buyer,CTP,basis_in_set
O1,1,4,,2026-03-02,buyer,,promised_by_is_there
O1,1,5,2026-03-10,2026-07-01,buyer,,changed_at_has_happened
O1,1,6,2099-01-01,2026-03-03,buyer,,
""",
    "holds": """hold_id,order_id,kind,placed_at,released_at,caused_by,expect
H1,O1,credit,2026-03-03,2026-03-04,buyer,
H2,O1,weather,2026-03-03,,,kind_in_set
H3,O1,data,2026-03-05T10:00:00Z,2026-03-05T09:59:59Z,,released_at_not_before_placed_at
H4,O1,data,2026-03-03,2026-08-01,carrier,caused_by_in_set released_at_has_happened
""",
    "order_events": """order_id,step,event_no,started_at,finished_at,expect
O1,2,1,2026-03-03,2026-03-04,
O1,0,1,2026-03-03,,step_in_range
O1,14,1,2026-03-03,,step_in_range
O1,3,0,2026-03-03,,event_no_in_range
O1,3,1,2026-03-05,2026-03-04,finished_at_not_before_started_at
O1,4,1,2026-03-05,2026-12-04,finished_at_has_happened
O1,5,1,,2026-03-04,
""",
    "quotes": """quote_id,customer_id,asked_at,answered_at,order_id,expect
Q1,C1,2026-02-20,2026-02-21,,
Q2,C1,2026-02-20,2026-02-19,,answered_at_not_before_asked_at
Q3,,2026-02-20,,,customer_id_is_there
""",
    "quote_options": """quote_id,option_no,price_amount,currency,lead_time_days,accepted,expect
Q1,1,100.50,EUR,7,yes,
Q1,2,-1,EUR,7,no,price_amount_in_range
Q1,3,1,euro,-7,no,currency_is_code lead_time_days_in_range
""",
    "messages": """message_id,order_id,customer_id,phase,kind,due_at,sent_at,correct,expect
M1,O1,,during,delay_notice,2026-09-01,2026-03-09,yes,
M2,,C1,pre,quote,,,,
M3,,,pre,quote,,,,message_is_addressed
M4,O1,,before,letter,,,,kind_in_set phase_in_set
M5,O1,,post,invoice,,2026-09-01,perhaps,correct_fits_type sent_at_has_happened
""",
    "service_cases": """case_id,order_id,customer_id,kind,opened_at,acknowledged_at,resolved_at,\
granted,cost_amount,currency,expect
K1,O1,,special_request,2026-02-01,2026-02-01,2026-02-03,yes,12.50,EUR,
K2,,,question,2026-03-01,,,,,,case_is_somebodys
K3,,C1,request,2026-03-02,2026-03-01,2026-03-01,,,,acknowledged_at_not_before_opened_at kind_in_set \
resolved_at_not_before_opened_at
K4,,C1,question,2026-03-02,2026-03-04,2026-03-03,,-1,EUR,cost_amount_in_range resolved_at_not_before_acknowledged_at
""",
    "returns": """return_id,return_line_no,order_id,line_no,returned_qty,reason,announced_at,received_at,\
credited_at,expect
R1,1,O1,1,2,damage,2026-03-12,2026-03-15,2026-03-20,
R1,2,O1,1,-2,dislike,2026-03-12,,,reason_in_set returned_qty_in_range
R1,3,O1,1,2,damage,2026-03-12,2026-03-11,2026-03-11,credited_at_not_before_announced_at \
received_at_not_before_announced_at
R2,1,,,1,damage,2026-03-12,,,line_no_is_there order_id_is_there
""",
    "stockouts": """stockout_id,customer_id,product_id,wanted_qty,wanted_at,outcome,expect
T1,C1,P1,5,2026-03-01,waited,
T2,C1,P1,5,2026-03-01,gone,outcome_in_set
T3,C1,P1,5,2026-10-01,,wanted_at_has_happened
""",
    "service_costs": """cost_id,customer_id,order_id,activity,amount,currency,incurred_on,expect
X1,C1,,visit,-12.50,EUR,2026-03-01,
X2,C1,O1,freight,2000000000,EUR,2026-03-01,amount_in_range
X3,C1,O1,freight,20,EUR,2026-10-01,incurred_on_has_happened
""",
    "calendars": """calendar_id,day,opens_at,closes_at,expect
default,2026-03-02,2026-03-02T08:00:00,2026-03-02T16:00:00,
default,2026-03-07,,,
default,2026-03-03,2026-03-03T08:00:00,,hours_are_whole
default,2026-03-04,2026-03-04T16:00:00,2026-03-04T08:00:00,closes_at_not_before_opens_at
default,2026-03-05,2026-03-05,2026-03-05,closes_at_has_time opens_at_has_time
""",
    "fx_rates": """currency,on_date,rate,reporting_currency,expect
USD,2026-03-01,0.92,EUR,
EUR,2026-03-01,1,EUR,
EUR,2026-03-02,1.1,EUR,own_rate_is_one
GBP,2026-03-01,0,EUR,rate_in_range
GBP,2026-03-02,1.2,euro,reporting_currency_is_code
GBP,2026-03-03,1.2,USD,reporting_currency_is_single
""",
    "unit_factors": """product_id,unit,factor,rounding_step,expect
P1,box,12,,
P1,crate,0,,factor_in_range
P1,pallet,480,0,rounding_step_in_range
""",
    "assumptions": """assumption,scope,assumed_value,expect
lost_k,all,3,
lost_kk,all,3,assumption_is_known
wait_cost,everyone,-3,assumed_value_in_range scope_is_known
""",
    "targets": """measure,scope,target_value,expect
otif,all,0.9,
on_tmie,all,0.9,measure_is_known
""",
    "payments": """payment_id,invoice_id,paid_at,amount,currency,expect
Z1,I1,2026-04-01,100,EUR,
Z2,I1,2026-04-01,-100,EUR,amount_in_range
Z3,I1,2026-10-01,100,EUR,paid_at_has_happened
""",
    "buyer_scorecards": """customer_id,order_id,due_by,received_at,received_qty,passed,expect
C1,their-1,2026-12-10,2026-03-09,15,yes,
C1,their-2,2026-12-10,2026-10-09,-1,maybe,passed_fits_type received_at_has_happened received_qty_in_range
""",
    "invoices": "invoice_id,invoiced_at\nI1,2026-03-12\n",
    "invoice_lines": "invoice_id,invoice_line_no,order_id,line_no,line_amount\n",
}
"""Every feed beyond the core: rows, and the rules that each row breaks."""


@pytest.mark.long
def test_every_feed_is_validated_row_by_row_with_the_rules_each_row_breaks(any_source: Source) -> None:
    for feed, content in ROWS.items():
        add(any_source, feed, content)
    any_source.take_in()
    with reading(any_source.location) as connection:
        broken = {
            (row.feed, row.row_no): sorted({one["rule"] for one in json.loads(row.rules)}) for row in kept(connection)
        }
        loaded = {(feed, number) for feed in ROWS for number in connection.scalars(select(FEEDS[feed].table.c.row_no))}
        advice = {
            row.feed: json.loads(row.rules)[0]["message"]
            for row in kept(connection)
            if row.feed in ("assumptions", "targets") and row.row_no == 2
        }
    expected = {
        (feed, number): sorted(record["expect"].split())
        for feed, content in ROWS.items()
        for number, record in enumerate(csv.DictReader(content.splitlines()), start=1)
        if record.get("expect")
    }
    assert broken == expected
    records = {(feed, number) for feed, content in ROWS.items() for number in range(1, len(content.splitlines()))}
    assert loaded == records - set(expected)
    assert 'did you mean "lost_k"?' in advice["assumptions"]
    assert 'did you mean "on_time"?' in advice["targets"]

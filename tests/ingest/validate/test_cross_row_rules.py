"""Rules across rows: parents, dates against the order, changed quantities. Source: R14, R22, R33, R34."""

import json

import pytest
from sqlalchemy import Connection, select

from metrics.facts.orders import order_line_facts_table
from metrics.schema import FEEDS, restated_quantities, run_files, runs
from metrics.warehouse import reading
from tests.ingest.files import LINES, ORDERS, SHIPMENTS, Source, add, everything, kept, rows, with_invoices

pytestmark = pytest.mark.long  # every case is a whole run; test_load.py runs the same code each time

ORPHANS: dict[str, tuple[str, str]] = {
    "promises": (
        "order_id,line_no,revision_no,promised_by,changed_at\nO9,1,1,2026-03-10,2026-03-02\n",
        "order_lines O9 / 1",
    ),
    "holds": ("hold_id,order_id,placed_at\nH1,O9,2026-03-04\n", "orders O9"),
    "order_events": ("order_id,step,event_no,started_at\nO9,2,1,2026-03-04\n", "orders O9"),
    "payments": ("payment_id,invoice_id,paid_at,amount\nZ1,I9,2026-04-01,100\n", "invoices I9"),
    "quotes": ("quote_id,customer_id,asked_at,order_id\nQ1,C1,2026-02-01,O9\nQ2,C1,2026-02-01,\n", "orders O9"),
    "quote_options": ("quote_id,option_no\nQ1,1\n", "quotes Q1"),
    "messages": ("message_id,order_id,customer_id\nM1,O9,\nM2,,C9\n", "orders O9"),
    "service_cases": ("case_id,order_id,customer_id,opened_at\nK1,O9,,2026-02-01\nK2,,C9,2026-02-01\n", "orders O9"),
    "returns": (
        "return_id,return_line_no,order_id,line_no,returned_qty,announced_at\nR1,1,O9,1,1,2026-03-12\n",
        "order_lines O9 / 1",
    ),
    "service_costs": (
        "cost_id,customer_id,order_id,amount,incurred_on\nX1,C1,O9,5,2026-03-01\nX2,C9,,5,2026-03-01\n",
        "orders O9",
    ),
}
"""A row whose parent is missing, the parent it waits for, and where useful a second row that names no parent and does
not wait.
"""


def counts_add_up(connection: Connection) -> bool:
    """Assert rows in = loaded + quarantined + superseded for every file."""
    return all(
        row.rows_in == row.rows_loaded + row.rows_quarantined + row.rows_superseded
        for row in connection.execute(select(run_files))
    )


def test_r33_a_child_waits_for_its_parent_and_is_released_with_it(any_source: Source) -> None:
    for feed, (content, _) in ORPHANS.items():
        add(any_source, feed, content)
    with_invoices(any_source)
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert {row.feed: (row.row_no, row.status, row.waits_for) for row in kept(connection)} == {
            feed: (1, "waiting", parent) for feed, (_, parent) in ORPHANS.items()
        }
        assert {feed: len(rows(connection, feed)) for feed in ORPHANS} == {
            feed: content.count("\n") - 2 for feed, (content, _) in ORPHANS.items()
        }
        assert counts_add_up(connection)
    any_source.write("orders.csv", ORDERS + "O9,C1,2026-03-02,2026-03-10\n")
    any_source.write("order_lines.csv", LINES + "O9,1,P1,1\n")
    with_invoices(any_source, "I9,2026-03-20\n")
    assert any_source.take_in().released == len(ORPHANS)
    with reading(any_source.location) as connection:
        assert {row.status for row in kept(connection)} == {"released"}
        assert {feed: len(rows(connection, feed)) for feed in ORPHANS} == {
            feed: content.count("\n") - 1 for feed, (content, _) in ORPHANS.items()
        }
        assert counts_add_up(connection)


def test_r22_return_of_an_unknown_order_line_is_quarantined(any_source: Source) -> None:
    head = "return_id,return_line_no,order_id,line_no,returned_qty,reason,announced_at\n"
    add(
        any_source,
        "returns",
        head + "R1,1,O1,1,2,damage,2026-03-12\nR1,2,O1,9,2,damage,2026-03-12\nR2,1,,,2,damage,2026-03-12\n",
    )
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert [(row["return_id"], row["return_line_no"]) for row in rows(connection, "returns")] == [("R1", "1")]
        assert [(row.row_no, row.status) for row in kept(connection)] == [(2, "waiting"), (3, "rejected")]


@pytest.mark.parametrize(
    ("first", "second", "dropped"),
    [
        ("", "", True),
        ("2026-03-20T00:00:00Z", "2026-03-21T00:00:00Z", True),
        ("2026-03-21T00:00:00Z", "2026-03-20T00:00:00Z", False),
    ],
)
def test_r22_corrected_return_is_loaded_and_only_a_newer_version_keeps_waiting(
    source: Source, first: str, second: str, dropped: bool
) -> None:
    head = "return_id,return_line_no,order_id,line_no,returned_qty,announced_at,source_updated_at\n"
    add(source, "returns", head + f"R1,1,O1,9,2,2026-03-12,{first}\n")
    source.origin["returns"] = 'read = "returns*.csv"'
    source.take_in()
    source.write("returns_2.csv", head + f"R1,1,O1,2,2,2026-03-12,{second}\n")
    source.take_in()
    with reading(source.location) as connection:
        assert [row["line_no"] for row in rows(connection, "returns")] == ["2"]
        # A version older than the waiting one is loaded meanwhile. The newer version keeps waiting.
        assert [row.status for row in kept(connection)] == ["dropped" if dropped else "waiting"]
        assert counts_add_up(connection)
    source.write("order_lines.csv", LINES + "O1,9,P1,4\n")
    assert source.take_in().released == (0 if dropped else 1)
    with reading(source.location) as connection:
        assert [row["line_no"] for row in rows(connection, "returns")] == ["2" if dropped else "9"]
        assert counts_add_up(connection)


def test_waiting_record_is_not_duplicated_if_its_file_is_read_with_another_mapping(any_source: Source) -> None:
    any_source.write("order_lines.csv", LINES + "O9,1,P1,1\n")
    any_source.take_in()
    del any_source.columns["order_lines"]["product_id"]
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert [(row.row_no, row.status) for row in kept(connection)] == [(4, "dropped"), (4, "waiting")]
        assert counts_add_up(connection)


@pytest.mark.parametrize(
    ("feed", "content", "rule"),
    [
        (
            "holds",
            "hold_id,order_id,placed_at\nH1,O1,2026-03-01\nH2,O1,2026-03-02\n",
            "placed_at_not_before_ordered_at",
        ),
        (
            "returns",
            "return_id,return_line_no,order_id,line_no,returned_qty,announced_at\nR1,1,O1,1,1,2026-03-01\nR2,1,O1,1,1,2026-03-12\n",
            "announced_at_not_before_ordered_at",
        ),
        (
            "order_events",
            "order_id,step,event_no,started_at\nO1,2,1,2026-03-02T08:59:59Z\nO1,9,1,2026-03-02T09:00:00Z\n",
            "started_at_not_before_ordered_at",
        ),
        # An inquiry (step 1) and goods received in advance (step 8) naturally precede the order.
        (
            "order_events",
            "order_id,step,event_no,finished_at\nO1,11,1,2026-03-01\nO1,1,1,2026-02-01\nO1,8,1,2026-02-01\n",
            "finished_at_not_before_ordered_at",
        ),
    ],
)
def test_r34_order_event_before_the_order_date_is_rejected(
    any_source: Source, feed: str, content: str, rule: str
) -> None:
    # O1 is placed on 2 March 10:00 in Berlin, 09:00 UTC.
    add(any_source, feed, content)
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert [
            (row.feed, row.row_no, row.status, row.order_id, json.loads(row.rules)[0]["rule"])
            for row in kept(connection)
        ] == [(feed, 1, "rejected", "O1", rule)]
        assert len(rows(connection, feed)) == content.count("\n") - 2


def test_r34_inquiries_requests_payments_and_promises_may_come_before_the_order(any_source: Source) -> None:
    with_invoices(any_source, "I1,2026-03-20\n")
    add(any_source, "payments", "payment_id,invoice_id,paid_at,amount\nZ1,I1,2026-02-01,100\n")
    add(any_source, "service_cases", "case_id,order_id,kind,opened_at\nK1,O1,special_request,2026-02-01\n")
    add(any_source, "messages", "message_id,order_id,phase,kind,sent_at\nM1,O1,pre,quote,2026-02-01\n")
    add(any_source, "promises", "order_id,line_no,revision_no,promised_by,changed_at\nO1,1,1,2026-03-10,2026-02-01\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert kept(connection) == []


def test_r34_corrected_parent_makes_loaded_children_invalid_and_valid_again(any_source: Source) -> None:
    add(
        any_source,
        "returns",
        "return_id,return_line_no,order_id,line_no,returned_qty,announced_at\nR1,1,O1,1,1,2026-03-12\n",
    )
    any_source.take_in()
    with reading(any_source.location) as connection:
        whole = everything(connection)
        assert kept(connection) == []
    # The order date of O1 changes to 20 March, so it cannot have been received on the 9th or returned on the 12th.
    late = ORDERS.replace("O1,C1,2026-03-02T10:00:00", "O1,C1,2026-03-20")
    any_source.write("orders.csv", late)
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert [(row.feed, row.row_no, row.status, row.order_id) for row in kept(connection)] == [
            ("returns", 1, "rejected", "O1"),
            ("shipment_lines", 1, "rejected", "O1"),
            ("shipment_lines", 2, "rejected", "O1"),
        ]
        assert json.loads(kept(connection)[1].record)["shipment_id"] == "S1"
        assert [row["order_id"] for row in rows(connection, "shipment_lines")] == ["O2"]
        assert counts_add_up(connection)
    any_source.write("orders.csv", ORDERS)
    assert any_source.take_in().released == 3
    with reading(any_source.location) as connection:
        assert everything(connection) == whole
        assert {row.status for row in kept(connection)} == {"released"}
        assert counts_add_up(connection)


def test_r34_arrival_order_of_two_contradicting_records_does_not_matter(source: Source) -> None:
    wrong, right = SHIPMENTS.replace("S1,2026-03-08,2026-03-09", "S1,,2026-03-01"), SHIPMENTS
    source.write("shipments.csv", wrong)
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.feed, row.status) for row in kept(connection)] == [("shipment_lines", "rejected")] * 2
    source.write("shipments.csv", right)
    assert source.take_in().released == 2
    with reading(source.location) as connection:
        assert len(rows(connection, "shipment_lines")) == 3
        assert counts_add_up(connection)


def test_r14_changed_quantity_is_stored_with_the_watermark_of_the_run(any_source: Source) -> None:
    any_source.take_in()
    any_source.head = 'data_as_of = "2026-04-15T12:00:00Z"'
    any_source.write("order_lines.csv", LINES.replace("O1,1,P1,10", "O1,1,P1,8"))
    any_source.take_in()
    with reading(any_source.location) as connection:
        first, row = connection.execute(select(restated_quantities).order_by(restated_quantities.c.run_id)).all()
        as_of = connection.scalar(select(runs.c.data_as_of).where(runs.c.run_id == 2))
        assert (first.order_id, first.line_no, first.run_id, first.after_qty) == ("O1", "1", 1, 10)
        assert (row.order_id, row.line_no, row.run_id, row.after_qty) == ("O1", "1", 2, 8)
        assert row.data_as_of == as_of
        assert as_of is not None
        assert as_of.isoformat() == "2026-04-15T12:00:00"


def test_r14_withdrawn_line_or_change_of_another_column_is_not_a_quantity_change(source: Source) -> None:
    source.columns["order_lines"]["deleted"] = '"gone"'
    for gone, item in (("false", "P1"), ("true", "P1"), ("false", "P1"), ("false", "P2")):
        source.write("order_lines.csv", f"no,pos,item,qty,gone\nO1,1,{item},{9 if gone == 'true' else 10},{gone}\n")
        source.take_in()
    with reading(source.location) as connection:
        assert connection.scalar(select(runs.c.run_id).order_by(runs.c.run_id.desc()).limit(1)) == 4
        owed = select(order_line_facts_table.c.owed_qty).where(order_line_facts_table.c.line_no == "1")
        assert connection.scalar(owed.where(order_line_facts_table.c.order_id == "O1")) == 10


def test_r33_a_withdrawn_record_of_any_feed_stays_as_a_tombstone(source: Source) -> None:
    add(source, "holds", "hold_id,order_id,placed_at,deleted\nH1,O1,2026-03-03,false\n")
    source.take_in()
    source.write("holds.csv", "hold_id,order_id,placed_at,deleted\nH1,O1,2026-03-03,true\n")
    assert source.take_in().restated == 1
    with reading(source.location) as connection:
        assert [row["deleted"] for row in rows(connection, "holds")] == [True]


def test_events_of_every_feed_advance_the_watermark_but_planned_dates_do_not(source: Source) -> None:
    source.take_in()
    with reading(source.location) as connection:
        before = connection.scalar(select(runs.c.data_as_of))
        assert before is not None
        assert before.isoformat() == "2026-03-11T22:59:59.999999"
    add(source, "messages", "message_id,order_id,due_at,sent_at\nM1,O1,2026-05-20T00:00:00Z,2026-03-20T10:00:00Z\n")
    add(source, "service_costs", "cost_id,customer_id,amount,incurred_on\nX1,C1,5,2026-05-01\n")
    add(
        source,
        "calendars",
        "calendar_id,day,opens_at,closes_at\ndefault,2026-05-04,2026-05-04T08:00:00Z,2026-05-04T16:00:00Z\n",
    )
    add(source, "policies", "policy_id,valid_from\nX,2026-05-01\n")
    source.take_in()
    with reading(source.location) as connection:
        latest = connection.scalar(select(runs.c.data_as_of).where(runs.c.run_id == 2))
        assert latest is not None
        assert latest.isoformat() == "2026-03-20T10:00:00"


def test_every_feed_can_be_mapped_with_every_column_of_its_table(source: Source) -> None:
    from ingest.mapping.mapping_file import load_mapping, mappable

    for feed, about in FEEDS.items():
        add(source, feed, ",".join(mappable(about)) + "\n")
    mapping = load_mapping(source.mapping())
    assert set(mapping.feeds) == set(FEEDS)
    assert all(set(mapping.feeds[feed].columns) == set(mappable(about)) for feed, about in FEEDS.items())

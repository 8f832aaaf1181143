"""Keys that differ by zeros or case, invoice lines without a line, undated cancellations, line breaks in keys."""

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.lists.alike_keys import alike_keys
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import Row, order_lines
from metrics.warehouse import reading
from tests.ingest.files import LINES, ORDERS, SHIPMENT_LINES, Source, kept, rows, with_invoices


def order_rows(source: Source) -> Mapping[str, Row]:
    with reading(source.location) as connection:
        return {row["order_id"]: dict(row) for row in connection.execute(select(order_facts_table)).mappings()}


RULES = ("order_line_is_named", "order_has_only_line", "order_line_is_known", "cancellation_is_dated", "text_is_clean")


def broken(source: Source) -> list[tuple[str, str]]:
    with reading(source.location) as connection:
        return [(row.feed, rule) for row in kept(connection) for rule in RULES if rule in row.rules]


def test_order_whose_number_resembles_that_of_a_waiting_record_is_unknown(any_source: Source) -> None:
    """I13. Shipment lines name 7 and A1, the orders are 007 and a1: both orders are unknown, not failed."""
    any_source.write("orders.csv", ORDERS + "007,C1,2026-03-02,2026-03-10\na1,C1,2026-03-02,2026-03-10\n")
    any_source.write("order_lines.csv", LINES + "007,1,P1,5\na1,1,P1,5\nO2,02,P1,1\n")
    any_source.write("shipment_lines.csv", SHIPMENT_LINES + "S1,3,7,1,5\nS2,2,A1,1,5\nS2,3,O2,2,1\n")
    report = any_source.take_in()
    assert [one.code for one in report.warnings] == ["keys_differ_by_zeros_or_case"] * 2
    found = order_rows(any_source)
    assert {name: (found[name]["state"], found[name]["otif_reason"]) for name in ("007", "a1", "O2")} == dict.fromkeys(
        ("007", "a1", "O2"), ("judged", "quarantined")
    )
    assert set(found) == {"O1", "O2", "007", "a1"}
    with reading(any_source.location) as connection:
        alike = alike_keys(connection)
    assert [(one.feed, one.parent, one.records) for one in alike] == [
        ("shipment_lines", "orders", 2),
        ("shipment_lines", "order_lines", 1),
    ]
    assert "2 waiting records of shipment_lines" in alike[0].message
    assert "strip_zeros = true" in alike[0].message


def test_pad_strip_zeros_and_upper_change_the_keys_of_a_column(source: Source) -> None:
    """I13. Orders are o1 and 0002; the lines name O1 and 2."""
    source.write(
        "orders.csv", "no,customer,placed,promised\no1,C1,2026-03-02,2026-03-10\n0002,C1,2026-03-02,2026-03-10\n"
    )
    source.write("order_lines.csv", "no,pos,item,qty\nO1,7,P1,10\n2,000,P1,10\n")
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty\nS1,1,o1,07,10\nS2,1,00002,0,10\n")
    for feed in ("orders", "order_lines", "shipment_lines"):
        source.columns[feed]["order_id"] = '{ from = "no", upper = true, strip_zeros = true, pad = 3 }'
    for feed in ("order_lines", "shipment_lines"):
        source.columns[feed]["line_no"] = '{ from = "pos", strip_zeros = true }'
    source.take_in()
    with reading(source.location) as connection:
        assert kept(connection) == []
        found = connection.execute(
            select(order_lines.c.order_id, order_lines.c.line_no).order_by(order_lines.c.order_id)
        )
        assert [tuple(row) for row in found] == [("002", "0"), ("0O1", "7")]


@pytest.mark.long
def test_invoice_line_without_an_order_line_is_rejected_or_matched_to_the_only_line(any_source: Source) -> None:
    """I14. O2 has one line, O1 has two, O9 is not known yet."""
    bills = "I1,1,O2,,7\nI1,2,O1,,10\nI1,3,O9,,4\nI1,4,,,2\n"
    with_invoices(any_source, "I1,2026-03-12\n", bills)
    any_source.take_in()
    assert broken(any_source) == [("invoice_lines", "order_line_is_named")] * 3
    assert order_rows(any_source)["O2"]["billed_accurately_reason"] == "quarantined"
    any_source.origin["invoice_lines"] = 'read = "invoice_lines.csv"\nmatch = "only line"'
    any_source.take_in()
    with reading(any_source.location) as connection:
        lines = [(row["invoice_line_no"], row["order_id"], row["line_no"]) for row in rows(connection, "invoice_lines")]
        state = {row.row_no: (row.status, row.order_id) for row in kept(connection) if row.status != "dropped"}
    assert lines == [("1", "O2", "1"), ("4", None, None)]
    assert state == {2: ("rejected", "O1"), 3: ("waiting", "O9")}
    any_source.origin["orders"], any_source.origin["order_lines"] = 'read = "orders*.csv"', 'read = "order_lines*.csv"'
    any_source.write("orders_2.csv", "no,customer,placed,promised\nO9,C1,2026-03-02,2026-03-10\n")
    any_source.write("order_lines_2.csv", "no,pos,item,qty\nO9,30,P1,4\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        lines = [(row["invoice_line_no"], row["order_id"], row["line_no"]) for row in rows(connection, "invoice_lines")]
    assert lines == [("1", "O2", "1"), ("3", "O9", "30"), ("4", None, None)]


CANCELLED = "no,pos,item,qty,off,who,changed\n"


def test_a_cancellation_without_a_date_counts_at_the_last_update_or_is_quarantined(any_source: Source) -> None:
    """N12. Due 10 March. Updated on the 5th: in time, nothing owed. On the 12th: late, still owed. Never: unknown."""
    any_source.write(
        "orders.csv", "no,customer,placed,promised\n" + "".join(f"{no},C1,2026-03-02,2026-03-10\n" for no in "ABCDEF")
    )
    lines = [
        "A,1,P1,10,,,2026-03-02", "A,2,P1,5,5,buyer,2026-03-05", "B,1,P1,5,5,buyer,2026-03-12", "C,1,P1,5,5,buyer,",
        "D,1,P1,5,,buyer,2026-03-05", "E,1,P1,5,0,,", "F,1,P1,5,2,buyer,2026-03-05",
    ]  # fmt: skip
    any_source.write("order_lines.csv", CANCELLED + "\n".join(lines) + "\n")
    any_source.write("shipment_lines.csv", "delivery,item,no,pos,qty\nS1,1,A,1,10\nS1,2,E,1,5\nS1,3,F,1,3\n")
    any_source.columns["order_lines"] |= {
        "cancelled_qty": '"off"',
        "cancelled_by": '"who"',
        "source_updated_at": '"changed"',
    }
    any_source.head = 'data_as_of = "2026-04-30"'
    report = any_source.take_in()
    assert [(one.code, one.rows) for one in report.warnings] == [("cancellation_date_assumed", 4)]
    assert broken(any_source) == [("order_lines", "cancellation_is_dated")]
    line = order_line_facts_table.c
    with reading(any_source.location) as connection:
        found = connection.execute(select(line.order_id, line.line_no, line.owed_qty, line.complete))
        owed = {(row.order_id, row.line_no): (row.owed_qty, row.complete) for row in found}
        overdue = answer(connection, Question(("overdue_open",)))[0].value
    assert owed == {
        ("A", "1"): (10, True),
        ("A", "2"): (0, None),
        ("B", "1"): (5, False),
        ("C", "1"): (5, None),
        ("D", "1"): (0, None),
        ("E", "1"): (5, True),
        ("F", "1"): (3, True),
    }
    assert overdue == 0
    assert order_rows(any_source)["C"]["complete_reason"] == "quarantined"


OTHER_NEIGHBOURS = ("", "O2,2,P\u20139,1\n", 'O2,2,"P\t9",1\n', "O2,2\n")


@pytest.mark.parametrize(
    "neighbour", ['O2,2,"P\n9",1\n', *(pytest.param(one, marks=pytest.mark.long) for one in OTHER_NEIGHBOURS)]
)
def test_key_with_a_line_break_is_rejected_regardless_of_neighbouring_rows(source: Source, neighbour: str) -> None:
    """T17. The same record has the same fate beside a dash, a tab, another line break and a short record."""
    source.write("order_lines.csv", LINES + neighbour + 'O1,3,"P\n1",4\n')
    source.take_in()
    with reading(source.location) as connection:
        mine = [row.rules for row in kept(connection) if (row.order_id, row.line_no) == ("O1", "3")]
        assert ("O1", "3") not in {(row["order_id"], row["line_no"]) for row in rows(connection, "order_lines")}
    assert len(mine) == 1
    assert "text_is_clean" in mine[0]

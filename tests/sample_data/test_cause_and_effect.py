"""Cause and effect in the sample: the feeds around the orders agree with the orders."""

import duckdb
import pytest

from sample_data import generate
from sample_data.generator import CHUNK_FILES
from sample_data.master_data import MASTER_DATA

ORDERS = 3000
AS_OF = "2026-06-30T18:00:00Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("effects")
    generate(ORDERS, out)
    return out


@pytest.fixture(scope="module")
def books(folder):
    """Return a connection with every file as a table of text, without the planted orders."""
    connection = duckdb.connect(":memory:")
    read = (
        "read_csv(?, all_varchar = true, ignore_errors = true, null_padding = true, delim = ?, quote = '\"', escape "
        "= '\"', header = true)"
    )
    for feed in (*MASTER_DATA, *CHUNK_FILES["all"]):
        delimiter = ";" if feed == "products" else ","
        connection.execute(f"create table {feed} as select * from {read}", [str(folder / f"{feed}.csv"), delimiter])
    # The key of a spoilt copy begins with a nine. A record spoilt in place has a value that no clean record has.
    connection.execute(
        "delete from orders where not regexp_full_match(coalesce(order_no, ''), 'SO1[0-9]{7}') or length(sold_to) <> 6"
    )
    yield connection
    connection.close()


def count(books, select: str) -> int:
    return books.execute(f"select count(*) from ({select})").fetchone()[0]


@pytest.mark.parametrize("feed", [*MASTER_DATA, *CHUNK_FILES["all"]])
def test_every_feed_has_records(folder, feed):
    assert len((folder / f"{feed}.csv").read_bytes().splitlines()) > 1


def test_core_only_set_contains_only_the_core_files_of_the_full_set(folder, tmp_path):
    generate(ORDERS, tmp_path, feeds="core")
    assert {path.stem for path in tmp_path.glob("*.csv")} == {
        "defects",
        "orders_2",
        "order_lines_2",
        "shipments_2",
        *MASTER_DATA,
        *CHUNK_FILES["core"],
    }
    assert "[messages]" not in (tmp_path / "mapping.toml").read_text(encoding="utf-8")
    for feed in CHUNK_FILES["core"]:
        assert (tmp_path / f"{feed}.csv").read_bytes() == (folder / f"{feed}.csv").read_bytes()


def test_full_set_generated_over_a_core_set_is_complete(folder, tmp_path):
    generate(200, tmp_path, feeds="core")
    generate(ORDERS, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_loading_ends_when_the_last_of_the_first_consignments_leaves(books):
    left = """select l.order_no, max(s.goods_issue_at) as left_at from shipments s join
        (select distinct delivery_no, order_no from shipment_lines) l using (delivery_no)
        where regexp_full_match(delivery_no, 'DN4[0-9]{7}')
            and (substr(delivery_no, 3)::bigint - 40000000) % 4 in (1, 2)
            and l.order_no in (select order_no from orders)
            group by 1"""
    done = "select order_no, max(done_at) as done_at from order_events where step = '10' and length(try) = 1 group by 1"
    compared = f"select * from ({left}) join ({done}) using (order_no) where done_at is not null"
    assert count(books, compared) > ORDERS * 0.9
    assert (
        count(books, f"{compared} and abs(epoch(left_at::timestamptz) - epoch(done_at::timestamptz)) > 0") <= 3
    )  # corrected in shipments_2.csv


def test_goods_are_verified_when_they_are_received(books):
    received = """select l.order_no, max(s.pod_at) as pod_at from shipments s join
        (select distinct delivery_no, order_no from shipment_lines) l using (delivery_no)
        where regexp_full_match(delivery_no, 'DN4[0-9]{7}') and l.order_no in (select order_no from orders)
        group by 1"""
    done = "select order_no, max(done_at) as done_at from order_events where step = '11' and length(try) = 1 group by 1"
    compared = f"select * from ({received}) join ({done}) using (order_no)"
    assert count(books, compared) > ORDERS * 0.9
    assert count(books, f"{compared} where pod_at <> done_at") <= 3


@pytest.mark.parametrize("later", range(3, 12))
def test_no_step_begins_before_the_one_before_it(books, later):
    first = """select order_no, step::int as step, min(begun_at) as begun_at from order_events
        where length(try) = 1 and try_cast(step as int) < 14 group by all"""
    pairs = (
        f"select a.order_no from ({first}) a join ({first}) b using (order_no) where b.step = {later} and a.step "
        f"between 2 and {later - 1}"
    )
    assert count(books, pairs) > 0
    assert count(books, f"{pairs} and a.begun_at > b.begun_at and a.begun_at > '2024-06-01'") == 0


def test_nothing_happens_after_the_watermark(books):
    moments = {
        "order_events": ("begun_at", "done_at"),
        "holds": ("set_at", "lifted_at"),
        "promises": ("changed_at",),
        "quotes": ("asked_at", "answered_at"),
        "messages": ("sent_at",),
        "service_cases": ("opened_at", "answered_at", "settled_at"),
        "returns": ("announced_at", "back_at", "credited_at"),
        "stockouts": ("wanted_at",),
        "buyer_scorecards": ("booked_in",),
    }
    for feed, columns in moments.items():
        for column in columns:
            late = count(books, f"select * from {feed} where {column} > '{AS_OF}'")
            assert late <= 1, (feed, column)  # one record is planted


def test_a_first_promise_is_the_promise_of_its_order_or_line(books):
    compared = """select p.*
    from promises p join orders o using (order_no) join order_lines l on l.order_no = p.order_no and l.pos = p.pos
        where p.rev = '1' and p.conf_date <> coalesce(l.conf_date, o.conf_date) and p.conf_date < '2100'"""
    assert count(books, "select * from promises where rev = '1'") > 2 * ORDERS
    assert count(books, compared) == 0


def test_returned_quantity_does_not_exceed_the_delivered_quantity(books):
    compared = """select r.qty::decimal(18, 3) as back,
    sum(coalesce(s.qty_received, s.qty_sent)::decimal(18, 3)) as came
        from returns r join shipment_lines s on s.order_no = r.order_no and s.pos = r.pos
        where s.unit is null and try_cast(s.qty_sent as double) is not null and r.qty not like '-%'
        group by r.rma_no, r.qty"""
    assert count(books, compared) > 20
    assert count(books, f"select * from ({compared}) where back > came") == 0


def test_payments_equal_the_billed_amounts(books):
    billed = (
        "select doc_no, sum(try_cast(amount as double) + try_cast(tax as double)) as billed from invoice_lines "
        "where length(item) < 3 group by 1"
    )
    paid = (
        "select doc_no, sum(amount::double) as paid from payments where receipt_no like 'PM1%' or receipt_no like "
        "'PM2%' group by 1"
    )
    compared = f"select * from ({billed}) join ({paid}) using (doc_no)"
    assert count(books, compared) > ORDERS * 0.8
    assert (
        count(books, f"select * from ({compared}) where paid > billed + 0.005") <= 3
    )  # a billed line was spoilt in place


def test_delay_notices_are_sent_in_time_more_often_in_segment_a(books):
    dates = books.execute(
        """select c.segment, avg((m.sent_at < m.due_at)::int) from messages m join orders o using (order_no)
        join (select customer_no, min(segment) as segment from customers group by 1) c on c.customer_no = o.sold_to
        where m.kind = 'delay_notice' and m.was_right is distinct from 'N' group by 1"""
    ).fetchall()
    share = dict(dates)
    assert share["A"] > share["C"]


def test_sample_has_customers_who_stopped_ordering(books):
    silent = """select sold_to from orders group by 1 having count(*) > 10 and max(entered_at) < '2026-03-01'"""
    assert count(books, silent) >= 2


def test_every_currency_has_invoices_and_sek_has_no_recent_rate(books):
    bills = dict(
        books.execute("select curr, count(*) from invoices where doc_date > '2026-01-10' group by 1").fetchall()
    )
    newest = dict(books.execute("select curr, max(on_date) from fx_rates where to_curr = 'EUR' group by 1").fetchall())
    assert {"EUR", "USD", "GBP", "SEK"} <= bills.keys()
    assert newest["SEK"] == "2025-12-29"
    assert newest["USD"] > "2026-06-20"

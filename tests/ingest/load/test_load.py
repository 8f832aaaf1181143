"""Merging, waiting, restatements and the run ledger, on both kinds of warehouse."""

import itertools
import json
from dataclasses import replace

import pytest
from sqlalchemy import func, inspect, select, text

from metrics.schema import FEEDS, order_lines, restatements, runs
from metrics.warehouse import Location, current, reading
from tests.ingest.files import LINES, ORDERS, SHIPMENT_LINES, SHIPMENTS, Source, everything, kept, ledger, rows

VERSIONED = "no,customer,placed,promised,changed\n"


def versioned(source: Source) -> None:
    source.columns["orders"]["source_updated_at"] = '"changed"'


def test_every_row_of_every_file_is_in_exactly_one_of_three_states(any_source: Source) -> None:
    any_source.write("order_lines.csv", LINES + "O9,1,P1,3\nO1,1,P1,10\nO1,3,P1,many\n")
    report = any_source.take_in()
    with reading(any_source.location) as connection:
        counts = ledger(connection)
    # Three good lines. O9 waits, "many" is not a number, and O1/1 is repeated.
    assert counts["order_lines.csv"] == (6, 3, 2, 1)
    assert all(
        rows_in == loaded + quarantined + superseded for rows_in, loaded, quarantined, superseded in counts.values()
    )
    assert {
        (file.name, file.rows_in, file.rows_loaded, file.rows_quarantined, file.rows_superseded)
        for file in report.files
    } == {(name, *numbers) for name, numbers in counts.items()}


def test_second_run_with_the_same_files_changes_nothing(any_source: Source) -> None:
    any_source.take_in()
    with reading(any_source.location) as connection:
        before = everything(connection)
    report = any_source.take_in()
    assert report.outcome == "unchanged"
    assert all(file.rows_superseded == file.rows_in for file in report.files)
    with reading(any_source.location) as connection:
        assert everything(connection) == before
        assert connection.scalar(select(func.count()).select_from(runs)) == 1


@pytest.mark.long
def test_the_same_content_under_another_name_changes_nothing(any_source: Source) -> None:
    any_source.origin["orders"] = 'read = "orders*.csv"'
    any_source.take_in()
    any_source.write("orders_again.csv", ORDERS)
    assert any_source.take_in().outcome == "unchanged"


def test_an_orphan_waits_and_is_released_when_its_parent_arrives(any_source: Source) -> None:
    any_source.origin["orders"] = 'read = "orders*.csv"'
    any_source.write("order_lines.csv", LINES + "O3,1,P1,4\n")
    any_source.write("shipment_lines.csv", SHIPMENT_LINES + "S2,2,O3,1,4\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        waiting = kept(connection)
        assert [(row.feed, row.status, row.waits_for, row.order_id, row.line_no) for row in waiting] == [
            ("order_lines", "waiting", "orders O3", "O3", "1"),
            ("shipment_lines", "waiting", "order_lines O3 / 1", "O3", "1"),
        ]
        assert json.loads(waiting[0].record) == {"no": "O3", "pos": "1", "item": "P1", "qty": "4"}
    any_source.write("orders_2.csv", "no,customer,placed,promised\nO3,C1,2026-03-02,2026-03-10\n")
    report = any_source.take_in()
    assert report.released == 2
    with reading(any_source.location) as connection:
        assert [row.status for row in kept(connection)] == ["released", "released"]
        assert len(rows(connection, "order_lines")) == 4
        assert len(rows(connection, "shipment_lines")) == 4
        assert ledger(connection)["order_lines.csv"] == (4, 4, 0, 0)


OFTEN = ((2, 1, 0),)
"""Arrival orders of three versions that every run tests: the newest first. The others are in the long run."""


@pytest.mark.long
@pytest.mark.parametrize(
    "order",
    [
        pytest.param(order, marks=[] if order in OFTEN else pytest.mark.long)
        for order in itertools.permutations(range(3))
    ],
    ids=str,
)
def test_the_newest_version_wins_whatever_the_order_of_arrival(source: Source, order: tuple[int, ...]) -> None:
    versioned(source)
    versions = [f"O1,C{n},2026-03-02,2026-03-1{n},2026-03-0{n}T00:00:00Z\n" for n in (1, 2, 3)]
    source.origin["orders"] = 'read = "orders*.csv"'
    source.write("orders.csv", VERSIONED + "O2,C2,2026-03-03,2026-03-10,2026-03-03T00:00:00Z\n")
    for position, version in enumerate(order):
        source.write(f"orders_{position}.csv", VERSIONED + versions[version])
        source.take_in()
    with reading(source.location) as connection:
        first = rows(connection, "orders")[0]
        assert (first["order_id"], first["customer_id"]) == ("O1", "C3")
        # Three versions of one key: one is loaded, two are superseded.
        counts = ledger(connection)
        assert sum(counts[f"orders_{n}.csv"][1] for n in range(3)) == 1
        assert sum(counts[f"orders_{n}.csv"][3] for n in range(3)) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    "arrival",
    [
        ("shipment_lines", "shipments", "order_lines", "orders"),
        ("order_lines", "shipment_lines", "orders", "shipments"),
    ],
    ids="-".join,
)
def test_all_arrival_orders_of_the_files_give_the_same_tables(source: Source, arrival: tuple[str, ...]) -> None:
    source.take_in()
    with reading(source.location) as connection:
        whole = everything(connection)
    contents = {"orders": ORDERS, "order_lines": LINES, "shipments": SHIPMENTS, "shipment_lines": SHIPMENT_LINES}
    folder = source.folder.parent / "other"
    folder.mkdir()
    other = Source(folder, type(source.location)(folder=folder / "home"))
    for feed in contents:
        other.write(f"{feed}.csv", contents[feed].splitlines()[0] + "\n")
    for feed in arrival:
        other.write(f"{feed}.csv", contents[feed])
        other.take_in()
    with reading(other.location) as connection:
        assert everything(connection) == whole


def test_a_correction_replaces_the_record_and_is_kept_as_a_restatement(any_source: Source) -> None:
    any_source.take_in()
    any_source.write("order_lines.csv", LINES.replace("O2,1,P1,7", "O2,1,P1,9"))
    report = any_source.take_in()
    assert report.restated == 1
    with reading(any_source.location) as connection:
        row = connection.execute(select(restatements)).one()
        assert (row.feed, json.loads(row.key), row.why) == (
            "order_lines",
            {"order_id": "O2", "line_no": "1"},
            "correction",
        )
        assert (json.loads(row.before), json.loads(row.after)) == ({"ordered_qty": "7.0000"}, {"ordered_qty": "9.0000"})


@pytest.mark.long
def test_an_older_version_arriving_late_is_superseded(source: Source) -> None:
    versioned(source)
    source.origin["orders"] = 'read = "orders*.csv"'
    source.write(
        "orders.csv", VERSIONED + "O1,NEW,2026-03-02,2026-03-10,2026-05-02T00:00:00Z\nO2,C2,2026-03-03,2026-03-10,\n"
    )
    source.take_in()
    source.write("orders_late.csv", VERSIONED + "O1,OLD,2026-03-02,2026-03-10,2026-05-01T00:00:00Z\n")
    source.take_in()
    with reading(source.location) as connection:
        assert rows(connection, "orders")[0]["customer_id"] == "NEW"
        assert ledger(connection)["orders_late.csv"] == (1, 0, 0, 1)
        assert connection.scalar(select(func.count()).select_from(restatements)) == 0


@pytest.mark.long
def test_deletion_and_its_reversal_are_recorded_as_versions(source: Source) -> None:
    source.columns["orders"]["deleted"] = '"gone"'
    head = "no,customer,placed,promised,gone\n"
    for gone in ("false", "true", "false"):
        source.write("orders.csv", head + f"O1,C1,2026-03-02,2026-03-10,{gone}\nO2,C2,2026-03-03,2026-03-10,false\n")
        source.take_in()
        with reading(source.location) as connection:
            assert rows(connection, "orders")[0]["deleted"] is (gone == "true")
    with reading(source.location) as connection:
        assert list(connection.scalars(select(restatements.c.why).order_by(restatements.c.run_id))) == [
            "deletion",
            "undeletion",
        ]


def test_within_one_file_the_later_row_wins(source: Source) -> None:
    source.write("orders.csv", ORDERS + "O1,C9,2026-03-02,2026-03-10\n")
    source.take_in()
    with reading(source.location) as connection:
        assert rows(connection, "orders")[0]["customer_id"] == "C9"


@pytest.mark.long
def test_a_rejected_record_is_dropped_when_its_key_comes_again_as_it_is_loaded(source: Source) -> None:
    """O1/1: 10 loaded, then "x" rejected, then 10 again. Without stamps the last file is right, so nothing is open.

    With stamps the rejected record is newer than the one that comes again, so it stays open.
    """
    source.take_in()
    for stamps, status in ((("", "", ""), "dropped"), ((",2026-03-01", ",2026-03-05", ",2026-03-01"), "rejected")):
        if stamps[0]:
            source.columns["order_lines"]["source_updated_at"] = '"stamp"'
        for place, quantity in enumerate(("10", "x", "10")):
            header = "no,pos,item,qty" + (",stamp" if stamps[0] else "")
            body = f"O1,1,P1,{quantity}{stamps[place]}\nO1,2,P2,{5 + place}{stamps[0]}\nO2,1,P1,7{stamps[0]}\n"
            source.write("order_lines.csv", f"{header}\n{body}")
            source.take_in()
        with reading(source.location) as connection:
            assert [one.status for one in kept(connection)][-1] == status, stamps
            line = select(order_lines.c.ordered_qty).where(order_lines.c.order_id == "O1", order_lines.c.line_no == "1")
            assert connection.scalar(line) == 10


def test_rejected_record_is_dropped_when_a_valid_record_of_its_key_arrives(any_source: Source) -> None:
    any_source.origin["orders"] = 'read = "orders*.csv"'
    any_source.write("orders_2.csv", "no,customer,placed,promised\nO3,C1,2026-02-30,\n")
    any_source.take_in()
    any_source.write("orders_3.csv", "no,customer,placed,promised\nO3,C1,2026-02-28,\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert [row.status for row in kept(connection)] == ["dropped"]
        assert ledger(connection)["orders_2.csv"] == (1, 0, 0, 1)
        assert len(rows(connection, "orders")) == 3


@pytest.mark.long
def test_file_is_read_again_after_its_mapping_has_changed(source: Source) -> None:
    source.write("order_lines.csv", LINES.replace("O2,1,P1,7", 'O2,1,P1,"7,5"'))
    source.take_in()
    with reading(source.location) as connection:
        assert [row.status for row in kept(connection) if row.feed == "order_lines"] == ["rejected"]
    source.columns["order_lines"]["ordered_qty"] = '{ from = "qty", decimal = "," }'
    source.take_in()
    with reading(source.location) as connection:
        assert [row.status for row in kept(connection) if row.feed == "order_lines"] == ["dropped"]
        assert str(rows(connection, "order_lines")[2]["ordered_qty"]) == "7.5000"


@pytest.mark.long
def test_lines_of_a_shipment_received_before_its_order_are_quarantined(any_source: Source) -> None:
    any_source.write("shipments.csv", SHIPMENTS.replace("S1,2026-03-08,2026-03-09", "S1,,2026-03-01"))
    any_source.take_in()
    with reading(any_source.location) as connection:
        found = kept(connection)
        assert [(row.feed, row.status, row.order_id) for row in found] == [("shipment_lines", "rejected", "O1")] * 2
        assert json.loads(found[0].rules)[0]["rule"] == "received_at_not_before_ordered_at"


@pytest.mark.long
def test_reversal_waits_for_the_invoice_it_reverses(source: Source) -> None:
    source.columns["invoices"] = {
        "invoice_id": '"no"',
        "invoice_kind": '"kind"',
        "reverses_invoice_id": '"of"',
        "invoiced_at": '"day"',
    }
    source.columns["invoice_lines"] = {"invoice_id": '"no"', "invoice_line_no": '"pos"', "line_amount": '"amount"'}
    source.write("invoices.csv", "no,kind,of,day\nR1,reversal,I1,2026-03-20\n")
    source.write("invoice_lines.csv", "no,pos,amount\n")
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.status, row.waits_for) for row in kept(connection)] == [("waiting", "invoices I1")]
    source.write("invoices.csv", "no,kind,of,day\nI1,invoice,,2026-03-19\n")
    source.take_in()
    with reading(source.location) as connection:
        assert [row["invoice_id"] for row in rows(connection, "invoices")] == ["I1", "R1"]


def test_a_dry_run_reports_and_writes_nothing(source: Source) -> None:
    source.write("order_lines.csv", LINES + "O1,3,P1,-4\n")
    report = source.take_in(dry_run=True)
    assert report.outcome == "checked"
    assert [(one.feed, one.rule, one.rows) for one in report.rules_broken] == [
        ("order_lines", "ordered_qty_in_range", 1)
    ]
    assert current(source.location) is None
    assert source.location.folder is not None
    assert not source.location.folder.exists()


def all_there_is(place: Location) -> object:
    """Return all rows of a warehouse."""
    if place.folder is not None:
        return {path.name: path.read_bytes() for path in place.folder.iterdir() if path.name != "store.sqlite"}
    with reading(place) as connection:
        return [
            (name, sorted(map(repr, connection.execute(text(f'select * from "{name}"')))))
            for name in inspect(connection).get_table_names()
        ]


@pytest.mark.long
def test_dry_run_reports_the_same_results_as_the_following_run(any_source: Source) -> None:
    """A correction, an orphan line, a line whose order arrives, an invalid number, and a repeated key."""
    any_source.write("order_lines.csv", LINES + "O7,1,P1,10\n")
    any_source.take_in()
    was = all_there_is(any_source.location)
    any_source.write("orders.csv", ORDERS + "O7,C1,2026-03-02,2026-03-10\nO7,C2,2026-03-02,2026-03-10\n")
    any_source.write("order_lines.csv", LINES.replace(",100", ",90") + "O9,1,P1,5\nO1,3,P1,many\n")
    dry = any_source.take_in(dry_run=True)
    assert all_there_is(any_source.location) == was
    done = any_source.take_in()
    assert done.released == 1
    assert {one.rule for one in done.rules_broken} >= {"order_is_known", "ordered_qty_fits_type"}
    assert sum(one.rows_superseded for one in done.files) > 0
    assert (
        replace(dry, outcome=done.outcome, run_id=done.run_id, generation=done.generation, finished_at=done.finished_at)
        == done
    )


def test_no_table_contains_a_duplicate_key(source: Source) -> None:
    source.write("orders.csv", ORDERS + ORDERS.partition("\n")[2])
    source.take_in()
    with reading(source.location) as connection:
        for feed, about in FEEDS.items():
            keys = [about.table.c[one] for one in about.key]
            twice = select(*keys).group_by(*keys).having(func.count() > 1)
            assert connection.execute(twice).first() is None, feed

"""I8: a full extract withdraws what it no longer contains. R33 (duplicates and late records)."""

import pytest
from sqlalchemy import Connection, select

from ingest.errors import MappingRefused, SourceRefused
from metrics.facts.orders import order_facts_table
from metrics.schema import order_lines, restatements
from metrics.warehouse import reading
from tests.ingest.files import LINES, Source, kept

HEADER = "no,pos,item,qty\n"
TEN = HEADER + "".join(f"O1,{number},P1,1\n" for number in range(1, 8)) + "O2,1,P1,7\nO2,2,P2,1\nO9,1,P1,1\n"
"""Ten lines; the order of the last one is not known, so that line waits."""


def full(source: Source, value: str = "true", limit: float | None = None) -> Source:
    keys = "" if limit is None else f"\nfull_limit = {limit}"
    source.origin["order_lines"] = f'read = "order_lines*.csv"\nfull = {value}{keys}'
    return source


def present(connection: Connection) -> set[tuple[str, str]]:
    rows = connection.execute(select(order_lines.c.order_id, order_lines.c.line_no).where(~order_lines.c.deleted))
    return {(row.order_id, row.line_no) for row in rows}


def test_i8_full_extract_withdraws_missing_records_and_restores_them_if_they_return(any_source: Source) -> None:
    """1 of 9 loaded lines is gone (11 %): it is withdrawn. So is the waiting line of O9. A rejected line is present."""
    any_source.write("order_lines.csv", TEN)
    full(any_source).take_in()
    two = TEN.replace("O2,2,P2,1\n", "").replace("O9,1,P1,1\n", "").replace("O1,7,P1,1", "O1,7,P1,x")
    any_source.write("order_lines.csv", two)
    report = any_source.take_in()
    assert report.restated == 1
    with reading(any_source.location) as connection:
        assert present(connection) == {*(("O1", str(number)) for number in range(1, 8)), ("O2", "1")}
        assert [(one.order_id, one.status) for one in kept(connection)] == [("O9", "dropped"), ("O1", "rejected")]
        assert connection.execute(select(restatements.c.why, restatements.c.key)).all() == [
            ("deletion", '{"order_id": "O2", "line_no": "2"}')
        ]
        lines = select(order_facts_table.c.line_count).where(order_facts_table.c.order_id == "O2")
        assert connection.scalar(lines) == 1, "the order was judged again"
    assert any_source.take_in().outcome == "unchanged"
    any_source.write("order_lines.csv", TEN)
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert ("O2", "2") in present(connection)


@pytest.mark.long
def test_i8_run_is_refused_if_more_records_than_the_limit_are_missing(source: Source) -> None:
    """2 of 9 loaded lines are gone: 22 % is more than 20 %."""
    source.write("order_lines.csv", TEN)
    full(source).take_in()
    source.write("order_lines.csv", TEN.replace("O2,2,P2,1\n", "").replace("O1,7,P1,1\n", ""))
    with pytest.raises(SourceRefused, match=r"lacks 2 of 9 loaded records \(22%\); the limit is 20%.*full_limit"):
        source.take_in()
    with reading(source.location) as connection:
        assert len(present(connection)) == 9
    full(source, limit=0.3).take_in()
    with reading(source.location) as connection:
        assert len(present(connection)) == 7


@pytest.mark.long
def test_i8_limit_is_a_share_of_all_records_before_the_run_changed_ones_included(source: Source) -> None:
    """7 of 9 lines change and 1 is gone: 1 of 9, not 1 of the 2 that did not change. One more is 2 of 9."""
    source.write("order_lines.csv", TEN)
    full(source, limit=0.15).take_in()
    changed = TEN.replace("P1,1\n", "P1,3\n")
    source.write("order_lines.csv", changed.replace("O2,2,P2,1\n", "").replace("O2,1,P1,7\n", ""))
    with pytest.raises(SourceRefused, match=r"lacks 2 of 9 loaded records \(22%\)"):
        source.take_in()
    full(source, limit=0.23).take_in()
    with reading(source.location) as connection:
        assert present(connection) == {("O1", str(number)) for number in range(1, 8)}


@pytest.mark.long  # several whole runs
def test_i8_one_record_of_a_small_extract_may_be_gone(source: Source) -> None:
    """1 of 3 records is 33 %, but no smaller share can be missing. 2 of 2 are refused, and so is 1 of 1 (all)."""
    full(source).take_in()
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\nO1,2,P2,5\n")
    source.take_in()
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O1", "2")}
    source.write("order_lines.csv", HEADER + "O2,1,P1,7\n")
    with pytest.raises(SourceRefused, match="lacks 2 of 2 loaded records"):
        source.take_in()
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\n")
    source.take_in()
    source.write("order_lines.csv", HEADER + "O2,1,P1,7\n")
    with pytest.raises(SourceRefused, match="lacks 1 of 1 loaded records"):
        source.take_in()


@pytest.mark.long  # several whole runs
def test_i8_several_files_are_treated_as_one_full_extract(source: Source) -> None:
    """A file that did not change is a part of the extract; a file that is gone is missing from it."""
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\nO1,2,P2,5\n")
    source.write("order_lines_2.csv", HEADER + "O2,1,P1,7\n")
    full(source, limit=0.5).take_in()
    source.write("order_lines_2.csv", HEADER + "O2,1,P1,8\n")
    source.take_in()
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O1", "2"), ("O2", "1")}
    (source.folder / "order_lines_2.csv").unlink()
    source.take_in()
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O1", "2")}


@pytest.mark.long  # several whole runs
def test_i8_per_order_extract_withdraws_records_of_its_own_orders_only(source: Source) -> None:
    source.write("order_lines.csv", LINES)
    full(source, '"per_order"', 0.5).take_in()
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\n")
    source.take_in()
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O2", "1")}
    source.origin["shipments"] = 'read = "shipments.csv"\nfull = "per_order"'
    with pytest.raises(MappingRefused, match=r"shipments.full: its records belong to no order"):
        source.take_in()


@pytest.mark.long
def test_i8_undeclared_extract_withdraws_a_line_whose_document_is_otherwise_unchanged(source: Source) -> None:
    """Line O1/2 was deleted, O1/1 is unchanged, and O2/1 has another quantity. The rule goes by document."""
    source.take_in()
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\nO2,1,P1,8\n")
    report = source.take_in()
    (warning,) = report.warnings
    assert (warning.code, warning.rows, report.restated) == ("records_were_withdrawn", 1, 2)
    assert "order_lines.csv no longer contains 1 of the 3 records that it had before: O1 / 2." in warning.message
    assert "write full = true for [order_lines]" in warning.message
    assert "full = false" in warning.message
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O2", "1")}
        lines = select(order_facts_table.c.line_count).where(order_facts_table.c.order_id == "O1")
        assert connection.scalar(lines) == 1, "the order was judged again"
    source.write("order_lines.csv", LINES)
    source.take_in()
    with reading(source.location) as connection:
        assert ("O1", "2") in present(connection), "a record that comes again is loaded again"


@pytest.mark.long
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("O1,1,P1,10\nO1,2,P2,5\n", id="the document is gone"),
        pytest.param("O1,1,P1,10\n", id="a document is gone and a line of another"),
        pytest.param("O1,1,P1,9\nO2,1,P1,7\n", id="the other line changed, as in a file of changes"),
        pytest.param("O1,1,P1,10\nO2,1\n", id="a record has no readable quantity, and its line is the only one"),
    ],
)
def test_i8_undeclared_extract_that_may_be_partial_withdraws_nothing(source: Source, lines: str) -> None:
    source.take_in()
    source.write("order_lines.csv", HEADER + lines)
    gone = [one for one in source.take_in().warnings if one.code == "records_are_gone"]
    with reading(source.location) as connection:
        assert present(connection) == {("O1", "1"), ("O1", "2"), ("O2", "1")}
    if "O2,1\n" not in lines:
        assert "Missing records stay loaded." in gone[0].message
        assert "write full = true for [order_lines]" in gone[0].message


@pytest.mark.long  # several whole runs
def test_i8_file_cut_at_any_line_break_withdraws_nothing_but_lines_of_its_last_document(source: Source) -> None:
    """T7: within its last document, a file cut at a line break looks like a deletion."""
    rows = [f"O{order},{line},P1,1\n" for order in (1, 2) for line in (1, 2, 3, 4)]
    source.write("order_lines.csv", HEADER + "".join(rows))
    source.take_in()
    for left in range(len(rows) - 1, 0, -1):
        source.write("order_lines.csv", HEADER + "".join(rows[:left]))
        source.take_in()
        with reading(source.location) as connection:
            assert present(connection) >= {("O1", str(line)) for line in (1, 2, 3, 4)} | {("O2", "1")}


@pytest.mark.long
def test_i8_feed_of_changes_is_not_compared_with_what_its_file_had_before(source: Source) -> None:
    source.take_in()
    full(source, "false")
    source.write("order_lines.csv", HEADER + "O1,1,P1,10\n")
    assert source.take_in().warnings == ()


@pytest.mark.long  # several whole runs
def test_i8_full_extract_with_an_unreadable_record_withdraws_nothing(source: Source) -> None:
    source.write("order_lines.csv", TEN)
    full(source).take_in()
    source.write("order_lines.csv", TEN.replace("O2,2,P2,1\n", "O2,2\n"))
    (warning,) = source.take_in().warnings
    assert warning.code == "full_extract_unreadable"
    with reading(source.location) as connection:
        assert ("O2", "2") in present(connection)

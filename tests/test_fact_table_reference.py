"""Check that docs/fact-tables.md describes every column of every fact table, as the code does."""

from commands import fact_tables


def test_the_page_is_current() -> None:
    assert fact_tables.PAGE.read_text(encoding="utf-8") == fact_tables.page(), "run: python -m commands.fact_tables"


def test_every_fact_table_and_column_has_a_meaning() -> None:
    for table in fact_tables.tables():
        assert table.comment, table.name
        assert [column.name for column in table.columns if not column.comment] == [], table.name

"""Kept sources: safe names and modes, limits, refused mappings, and recurring files."""

from pathlib import Path

import pytest

from dashboard.bring_data import sources, steps
from dashboard.bring_data.sources import UploadRefused


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\orders.csv", "orders.csv"),
        (".hidden.csv", "hidden.csv"),
        ("a*b?[c].csv", "a_b__c_.csv"),
        ("Über sicht (2).xlsx", "Über sicht (2).xlsx"),
        ("x" * 300 + ".csv", "x" * 80 + ".csv"),
        ("..", "file"),
        ("line\nbreak.csv", "line_break.csv"),
    ],
)
def test_uploaded_names_become_plain_file_names(given: str, stored: str) -> None:
    assert sources.file_name(given) == stored


def test_a_source_is_kept_for_this_user_only_and_under_its_own_name(home: Path) -> None:
    first, second = sources.create("Weekly Extract.csv"), sources.create("weekly extract.xlsx")
    assert (first.name, second.name) == ("weekly-extract", "weekly-extract-2")
    sources.store_files(first, {"a.csv": b"1", "../b.csv": b"22"})
    loaded = sources.load("weekly-extract")
    assert loaded is not None
    assert [file.name for file in loaded.files] == ["a.csv", "b.csv"]
    assert {file.stat().st_mode & 0o777 for file in loaded.files} == {0o600}
    assert {place.stat().st_mode & 0o777 for place in (home / "sources", first.folder, first.folder / "files")} == {
        0o700
    }
    assert sources.load("../sources/weekly-extract") is None
    sources.delete("weekly-extract")
    assert [source.name for source in sources.kept()] == ["weekly-extract-2"]


def test_too_many_or_too_large_files_are_refused_and_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    source = sources.create("orders.csv")
    monkeypatch.setattr(sources, "MOST_BYTES", 3)
    with pytest.raises(UploadRefused, match="Drop fewer files"):
        sources.store_files(source, {"a.csv": b"11", "b.csv": b"22"})
    monkeypatch.setattr(sources, "MOST_FILES", 1)
    with pytest.raises(UploadRefused, match="at most 1 files"):
        sources.store_files(source, {"a.csv": b"1", "b.csv": b"2"})
    assert source.files == []
    sources.store_files(source, {"a.csv": b"11"})
    sources.store_files(source, {"a.csv": b"222"})  # the new version replaces the old one
    assert source.files[0].read_bytes() == b"222"


def test_an_edited_mapping_may_only_name_connections_of_the_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYERVIEW_CONNECTION_ERP", "sqlite://")
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE_COPY", "postgresql://secret")
    assert sources.connections() == ["ERP"]
    for text in ('[orders]\nconnection = "{}"', '[staged.x]\nconnection = "{}"'):
        assert steps.refusal(text.format("env:BUYERVIEW_CONNECTION_ERP")) == ""
        for other in ("env:BUYERVIEW_WAREHOUSE_COPY", "ERP", "sqlite:///secret.db", "BUYERVIEW_CONNECTION_ERP"):
            assert "that the administrator has set" in steps.refusal(text.format(other)), other
    assert "no TOML" in steps.refusal("[orders")
    assert "no TOML" in steps.refusal("a = " + "[" * 100_000)
    assert "letters" in steps.refusal("#" * 500_000)


def test_a_recurring_file_is_recognised_by_its_columns_and_joins_the_mapping() -> None:
    kept, new, other = sources.create("jan.csv"), sources.create("feb.csv"), sources.create("other.csv")
    table = {"rows": 1, "name": "t"}
    sources.write(kept.folder, "found", {"tables": [{**table, "read": ["jan.csv"], "columns": ["b", "a"]}]})
    sources.write(new.folder, "found", {"tables": [{**table, "read": ["feb.csv"], "columns": ["a", "b"]}]})
    sources.write(other.folder, "found", {"tables": [{**table, "read": ["other.csv"], "columns": ["a"]}]})

    def recognised(name: str) -> str | None:
        source = sources.load(name)
        assert source is not None
        found = steps.kept_source_of(source)
        return found.name if found else None

    assert recognised("feb") is None, "the earlier source is not published"
    sources.write(kept.folder, "run", {"generation": 1})
    assert (recognised("feb"), recognised("other"), recognised("jan")) == ("jan", None, None)


def test_a_new_file_is_added_where_the_mapping_reads_the_earlier_one() -> None:
    mapping = (
        '[staged.x]\nread = "jan.csv"\n[returns]\nread = "returns.csv"\n[orders]\nselect = """\nread = "jan.csv"\n"""'
    )
    added = steps.reading_also('[staged.x]\nread = "jan.csv"\n[returns]\nread = "returns.csv"', "jan.csv", "feb.csv")
    assert added == '[staged.x]\nread = ["jan.csv", "feb.csv"]\n[returns]\nread = "returns.csv"'
    assert steps.reading_also(added, "jan.csv", "feb.csv") == added
    assert (
        steps.reading_also('read = ["jan.csv", "x.csv"]', "jan.csv", "feb.csv")
        == 'read = ["jan.csv", "x.csv", "feb.csv"]'
    )
    assert steps.reading_also('read = "m-*.csv"', "m-*.csv", "m-03.csv") == 'read = "m-*.csv"'
    assert steps.reading_also(mapping, "mar.csv", "feb.csv") == mapping

"""`buyerview init` on the sample's files under other names and in other dialects: no column is mapped wrongly."""

from pathlib import Path

import pytest

from ingest.inference.writing import mapping_text
from ingest.mapping.mapping_file import load_mapping
from ingest.pipeline import run
from metrics.warehouse import Location
from tests.ingest.inference.counting import counted, proposed
from tests.ingest.inference.renamed_sample import ENGLISH, GERMAN, in_american, in_german, write_renamed


@pytest.mark.long
def test_german_files_with_decimal_commas_and_cp1252_text_are_mapped_and_loaded(
    tmp_path: Path, location: Location
) -> None:
    truth = write_renamed(tmp_path, GERMAN, in_german, encoding="cp1252", delimiter=";", ending=".csv")
    result = counted(proposed(tmp_path), truth)
    assert result.wrong == []
    assert result.share_right > 0.9, result
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping_text(proposed(tmp_path, yes=True)), encoding="utf-8")
    assert load_mapping(mapping).feeds["orders"].encoding == "cp1252"
    loaded = {file.feed: file.rows_loaded / file.rows_in for file in run(mapping, location=location).files}
    assert set(loaded) == {*GERMAN}
    assert min(loaded.values()) > 0.8, loaded


@pytest.mark.long
def test_american_tab_separated_files_below_a_title_are_mapped(tmp_path: Path) -> None:
    truth = write_renamed(
        tmp_path, ENGLISH, in_american, encoding="utf-16", delimiter="\t", ending=".txt", title="Weekly report\r\n\r\n"
    )
    result = counted(proposed(tmp_path), truth)
    assert result.wrong == []
    assert result.share_right > 0.9, result

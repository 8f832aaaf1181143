"""The command init: it writes a mapping, asks on a terminal, shows the verdicts, and never overwrites a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer

import buyerview
from commands import output
from ingest.mapping.mapping_file import load_mapping
from metrics.rebuild import rebuild
from tests.ingest.inference.test_init_on_flat_extracts import write_workbook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one flat extract, which is the working directory of the command."""
    monkeypatch.setattr(rebuild, "FACT_TABLES", ())
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
    monkeypatch.chdir(tmp_path)
    for console in (output.screen, output.out):
        monkeypatch.setattr(console, "width", output.FULL_WIDTH)
    (tmp_path / "exports").mkdir()
    write_workbook(tmp_path / "exports" / "sales.xlsx")
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["buyerview", "init", *words])
    try:
        buyerview.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.long
def test_init_asks_on_a_terminal_and_shows_the_results_of_the_mapping(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    replies = iter(["Mars/Base", "Europe/Paris"])

    def prompt(text: str, **_: object) -> str:
        asked.append(text)
        return next(replies)

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert command(monkeypatch, "exports") == 0
    printed = capsys.readouterr()
    assert len(asked) == 2  # the first reply is no time zone
    assert load_mapping(folder / "mapping.toml").time_zone == "Europe/Paris"
    assert printed.out.strip() == "mapping.toml"
    lines = [" ".join(line.split()) for line in printed.err.splitlines()]
    assert "Orders received on time 33.3% 1 3" in lines
    assert "order_lines select over exports/sales.xlsx 5 5 0 0" in lines
    assert any("no feed: quotes" in line for line in lines)
    assert not (folder / "home").exists(), "a trial run leaves the warehouse alone"
    assert command(monkeypatch, "exports") == 78
    assert "--overwrite" in capsys.readouterr().err


def test_init_without_a_terminal_keeps_questions_open_and_refuses_missing_feeds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "exports" / "sales.xlsx").unlink()
    (folder / "exports" / "orders.csv").write_text("order_no,customer,order date\nO1,C1,01/02/2026\nO2,C2,03/02/2026\n")
    assert command(monkeypatch, "exports") == 78
    printed = capsys.readouterr().err
    assert "does the day or the month come first in its dates" in " ".join(printed.split())
    assert "the mapping lacks orders, order_lines, shipments, shipment_lines" in " ".join(printed.split())
    assert "01/02/2026" in (folder / "mapping.toml").read_text(encoding="utf-8")
    assert command(monkeypatch, "exports", "--yes", "--overwrite") == 78
    assert 'format = "%d/%m/%Y"' in (folder / "mapping.toml").read_text(encoding="utf-8")
    assert command(monkeypatch, "nowhere", "--out", "other.toml") == 78
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.long
def test_init_prints_questions_as_json_and_takes_answers_from_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("exports", "--json", "--answers", "answers.json", "--overwrite")
    (folder / "answers.json").write_text("{}")
    assert command(monkeypatch, *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert ([one["key"] for one in found["questions"]], found["trial"]) == (["source.time_zone"], None)
    assert (found["lacking"], found["tables"][0]["rows"]) == ([], 6)
    (folder / "answers.json").write_text('{"source.time_zone": "Europe/Paris"}')
    assert command(monkeypatch, *words) == 0
    trial = json.loads(capsys.readouterr().out)["trial"]
    on_time = next(one for one in trial["verdicts"] if one["measure"] == "on_time")
    assert (on_time["numerator"], on_time["denominator"]) == (1, 3)
    assert {file["feed"]: file["rows_loaded"] for file in trial["report"]["files"]}["order_lines"] == 5
    assert not (folder / "home").exists(), "a trial run leaves the warehouse alone"
    for wrong in ("[1]", "{", '{"a": 1}'):
        (folder / "answers.json").write_text(wrong)
        assert command(monkeypatch, *words) == 78
    assert "--answers" in capsys.readouterr().err

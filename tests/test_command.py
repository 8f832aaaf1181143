"""The command line: names and keys that scripts use, output streams, errors and exit statuses."""

import csv
import io
import itertools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import buyerview
from commands import output
from metrics.measures.catalog import MEASURES

SMALL = Path(__file__).parents[1] / "sample_data" / "small" / "mapping.toml"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the small sample, ingested by the command itself."""
    home = tmp_path_factory.mktemp("command")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUYERVIEW_HOME", str(home))
        patch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
        patch.setattr(sys, "argv", ["buyerview", "ingest", str(SMALL), "--json"])
        with pytest.raises(SystemExit) as ended:
            buyerview.main()
    assert not ended.value.code
    return home


@pytest.fixture
def run(filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("BUYERVIEW_HOME", str(filled))
    monkeypatch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
    for console in (output.screen, output.out):
        monkeypatch.setattr(console, "width", output.FULL_WIDTH)  # of a pipe; otherwise COLUMNS decides

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["buyerview", *words])
        status = 0
        try:
            buyerview.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


def test_demo_names_its_steps_in_a_pipe_and_says_that_the_errors_are_planted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample, the run and the server are replaced: only what the command prints counts here."""

    def generate(_orders: int, folder: Path, *, progress: Callable[[int, int], None]) -> Path:
        progress(1, 2)
        progress(2, 2)
        return folder

    def ingest(_mapping: Path, *, progress: Callable[[str, float], None]) -> str:
        progress("validate", 0.5)
        return "the summary"

    monkeypatch.setattr("sample_data.generate", generate)
    monkeypatch.setattr("ingest.pipeline.run", ingest)
    monkeypatch.setattr("commands.run.summary", output.screen.print)
    monkeypatch.setattr("commands.run._serve", lambda _port, *, browser: output.screen.print(f"served {browser}"))
    status, _, err = run("demo", "--orders", "5", "--no-browser")
    assert (status, err.splitlines()) == (
        0,
        [
            "generate sample orders …",
            "validate …",
            "the summary",
            "The sample contains planted errors, so that checks reject some rows.",
            "served False",
        ],
    )


def test_measures_as_json_names_every_measure_and_the_product_rows_it_serves(run: Run) -> None:
    status, out, _ = run("measures", "--json")
    listed = json.loads(out)
    assert status == 0
    assert [measure["name"] for measure in listed] == list(MEASURES)
    assert all(measure["product_rows"] for measure in listed)


def test_an_export_may_date_its_rows_by_another_day(run: Run) -> None:
    """By the due day of each order all judged orders count; by the day of arrival only those that arrived."""
    found = {}
    for words in ((), ("--date", "due"), ("--date", "arrived")):
        _, out, _ = run("export", "--measures", "judged_orders", "--format", "csv", "--out", "-", *words)
        found[words] = float(next(csv.DictReader(io.StringIO(out)))["value"])
    assert found[()] == found["--date", "due"] > found["--date", "arrived"] > 0


def test_export_has_dimensions_period_numerator_and_denominator(run: Run) -> None:
    status, out, _ = run(
        "export", "--measures", "otif,on_time", "--by", "segment", "--grain", "quarter", "--format", "csv", "--out", "-"
    )
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [*rows[0]][:9] == [
        "segment",
        "period",
        "measure",
        "value",
        "numerator",
        "denominator",
        "coverage",
        "worst",
        "best",
    ]
    for row in rows:
        if row["value"] and float(row["denominator"]):
            assert float(row["value"]) == float(row["numerator"]) / float(row["denominator"])


def test_every_format_holds_the_same_numbers(run: Run, tmp_path: Path) -> None:
    for fmt in ("csv", "xlsx", "parquet", "json"):
        file = tmp_path / f"out.{fmt}"
        assert (
            run("export", "--measures", "otif,cycle_days", "--by", "segment", "--format", fmt, "--out", str(file))[0]
            == 0
        )
    tables = [
        pd.read_csv(tmp_path / "out.csv"),
        pd.read_excel(tmp_path / "out.xlsx", engine="calamine"),
        pd.read_parquet(tmp_path / "out.parquet"),
        pd.read_json(tmp_path / "out.json"),
    ]
    for table in tables[1:]:
        assert table["value"].tolist() == pytest.approx(
            tables[0]["value"].tolist(), rel=1e-15, nan_ok=True
        )  # Excel files hold 16 digits
        assert table["numerator"].equals(tables[0]["numerator"])  # empty cells are equal too


def test_where_accepts_several_values_and_combines_them_with_or(run: Run) -> None:
    def judged(*where: str) -> float:
        _, out, _ = run("export", "--measures", "judged_orders", "--where", *where, "--format", "csv", "--out", "-")
        return float(next(csv.DictReader(io.StringIO(out)))["value"])

    assert judged("segment=A", "segment=B") == judged("segment=A") + judged("segment=B")


@pytest.mark.long  # test_load.py compares a dry run with the run after it in every run
def test_a_dry_run_reports_and_publishes_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path / "home"))
    status, out, _ = run("ingest", str(SMALL), "--dry-run", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["outcome"] == "checked"
    assert report["generation"] is None
    assert report["rules_broken"]
    assert not (tmp_path / "home").exists()


def test_the_same_files_again_change_nothing(run: Run) -> None:
    status, out, _ = run("ingest", str(SMALL), "--json")
    assert status == 0
    assert json.loads(out)["outcome"] == "unchanged"


def test_without_saved_edits_apply_does_nothing(run: Run) -> None:
    assert run("apply", "--json")[:2] == (0, "null\n")
    assert "no saved edits" in run("apply")[2]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("export", "--measures", "otfi", "--format", "csv", "--out", "-"), 64, "Did you mean otif"),
        (("export", "--measures", "otif", "--by", "regin", "--format", "csv", "--out", "-"), 64, "Did you mean region"),
        (("ingest", "no-such-mapping.toml"), 78, "no-such-mapping.toml"),
        (("sample", "--orders", "0", "--out", "x"), 2, "--orders"),
        (("ingest", str(SMALL), "--every", "soon"), 2, "30s, 5m or 1h"),
    ],
)
def test_errors_go_to_standard_error_with_a_status(run: Run, words: tuple[str, ...], status: int, message: str) -> None:
    ended, out, err = run(*words)
    assert (ended, out) == (status, "")
    assert message in err
    assert "Traceback" not in err


def test_without_published_data_the_error_names_the_next_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path))
    status, _, err = run("export", "--measures", "otif", "--format", "csv", "--out", "-")
    assert status == 66
    assert "buyerview demo" in err


def test_every_target_is_listed_with_its_status(run: Run) -> None:
    status, out, _ = run("targets", "--json")
    listed = json.loads(out)
    assert status == 0
    assert {row["state"] for row in listed} <= {"on target", "watch", "off target", "inconclusive", "no data"}
    assert {row["measure"] for row in listed} <= set(MEASURES)
    assert any(row["value"] is not None for row in listed)


def test_ladder_rates_never_rise(run: Run) -> None:
    status, out, err = run("ladder", "--json")
    rungs = [row for row in json.loads(out) if row["skipped"] is None]
    assert status == 0
    assert [row["rung"] for row in rungs] == [f"L{n}" for n in range(1, 11)]
    rates = [rung["numerator"] / rung["denominator"] for rung in rungs]
    assert all(rate >= stricter for rate, stricter in itertools.pairwise(rates))
    for rung, rate in zip(rungs, rates, strict=True):  # below 90 % coverage the range replaces the rate
        known = rung["denominator"] / (rung["denominator"] + rung["unknown"])
        assert rung["value"] == (pytest.approx(rate) if known >= 0.9 else None)
        assert rung["worst"] <= rate <= rung["best"]
    assert "orders in view" in err


def test_levers_of_all_orders_add_up_to_the_failed_orders(run: Run) -> None:
    status, out, err = run("levers", "--by", "all", "--json")
    rows = json.loads(out)
    counts = re.search(r"; ([\d,]+) failed orders, ([\d,]+) of them", err)
    assert counts is not None
    failed, several = (int(count.replace(",", "")) for count in counts.groups())
    assert status == 0
    assert sum(row["orders"] for row in rows) + several == failed
    assert all(row["perfect"] <= row["orders"] for row in rows)
    assert rows[0]["perfect"] > 0
    status, _, err = run("levers", "--by", "planet")
    assert status != 0
    assert "write one of carrier" in err


def test_a_diff_lists_exactly_the_orders_that_flip(run: Run) -> None:
    status, out, err = run("diff", "late_tolerance_days=1", "--verdict", "on_time", "--json")
    found = json.loads(out)
    flips = found["flips"]
    assert status == 0
    assert flips
    assert (found["verdict"], found["changed"]) == ("on_time", len(flips))  # I20: totals in the JSON
    assert found["after"]["numerator"] == found["before"]["numerator"] + len(flips)
    assert found["before"]["denominator"] == found["after"]["denominator"]
    for side in ("before", "after"):  # known and unknown are all judged orders
        assert found["judged"] == found[side]["denominator"] + found[side]["unknown"]
    assert {(row["before"], row["after"], row["rule"]) for row in flips} == {("false", "true", "late_tolerance_days")}
    _, _, err = run("diff", "late_tolerance_days=1", "--verdict", "on_time")
    assert f"{len(flips):,} of" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("diff", "tolerance=1"), "write key=value with one of timing"),
        (("diff", "late_tolerance_days=soon"), "write late_tolerance_days="),
        (("diff", "timing=SOMETIME"), "write one of DEADLINE, WINDOW"),
        (("diff", "late_tolerance_days=1", "--verdict", "fast"), "use one of on_time"),
        (
            ("explain", "otif", "--by", "region", "--before", "January", "--after", "2026-01-01..2026-01-31"),
            "write FIRST..LAST",
        ),
    ],
)
def test_wrong_arguments_of_comparisons_are_explained(run: Run, words: tuple[str, ...], message: str) -> None:
    status, _, err = run(*words)
    assert status == 2
    assert message in " ".join(err.replace("│", " ").split())


def test_an_explanation_adds_up_to_the_change(run: Run) -> None:
    status, out, err = run(
        "explain",
        "otif",
        "--by",
        "region",
        "--before",
        "2026-01-01..2026-03-31",
        "--after",
        "2026-04-01..2026-06-30",
        "--json",
    )
    parts = json.loads(out)
    before, after = (
        export_value(run, *period) for period in (("2026-01-01", "2026-03-31"), ("2026-04-01", "2026-06-30"))
    )
    assert status == 0
    assert sum(part["effect"] for part in parts) == pytest.approx(after - before, abs=1e-12)
    assert "add up" in err


def test_the_fill_rate_calculator_gives_the_known_answer(run: Run) -> None:
    words = (
        "--orders 5000 --from-fill 0.8 --to-fill 0.92 --back-ordered 0.7 --back-order-cost 150 --profit 12500 "
        "--investment 2000000"
    )
    status, out, err = run("fill-rate", *words.split())
    assert status == 0
    assert "3855000" in out
    assert "gain 2,313,000" in err
    assert "payback 0.8647 years" in err


def test_an_impossible_fill_rate_is_refused(run: Run) -> None:
    words = "--orders 1 --from-fill 80 --to-fill 92 --back-ordered 0.7 --back-order-cost 150 --profit 12500"
    status, _, err = run("fill-rate", *words.split())
    assert status
    assert "give a number from 0 to 1" in err


def export_value(run: Run, start: str, end: str) -> float:
    _, out, _ = run("export", "--measures", "otif", "--format", "csv", "--out", "-", "--from", start, "--to", end)
    (row,) = csv.DictReader(io.StringIO(out))
    return float(row["value"])


def test_a_channel_whose_name_is_an_emoji_code_is_printed_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust, T17: `webhook:X:` came out with a picture in its place."""
    monkeypatch.setattr("dashboard.notifications.delivery.send_test", lambda _: None)
    _, _, err = run("alerts", "--test", "webhook:X:")
    assert "Sent to webhook:X:." in err


def test_unexpected_error_shows_a_message_without_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Trust, T15: the traceback, without secrets, is in the log at the level DEBUG only."""
    monkeypatch.setenv("ERP", "postgresql://u:Canary-Pw-9@h/d")

    def fail(channel: str) -> None:
        raise ZeroDivisionError(f"{channel} and Canary-Pw-9")

    monkeypatch.setattr("dashboard.notifications.delivery.send_test", fail)
    status, _, err = run("alerts", "--test", "webhook:OPS")
    assert status == 70
    assert "unexpected error: ZeroDivisionError" in err
    assert "Traceback" not in err
    monkeypatch.setattr("dashboard.notifications.delivery.send_test", lambda _: Path("/no/such/file").read_text())
    status, _, err = run("alerts", "--test", "webhook:OPS")
    assert status == 74
    assert "No such file or directory" in err
    assert "Canary" not in err + caplog.text


def test_i20_output_to_a_pipe_has_its_full_width(run: Run) -> None:
    """I20: a cell is never wrapped or cut where the output is no terminal."""
    _, out, _ = run("diff", "late_tolerance_days=1", "--verdict", "on_time")
    assert all(line.split() for line in out.splitlines())
    assert "…" not in out
    _, text, _ = run("measures", "otif")
    assert MEASURES["otif"].definition in text


def test_i20_list_of_measures_has_one_readable_line_per_measure(run: Run) -> None:
    """One line per measure under its business question, and one per alias."""
    status, out, _ = run("measures")
    lines = out.splitlines()
    assert status == 0
    assert len(lines) < len(MEASURES) + 40
    assert max(map(len, lines)) < 120
    (line,) = [line for line in lines if line.split()[:1] == ["otif"]]
    assert MEASURES["otif"].title in line
    assert any("promise_kept" in line and "on_time" in line for line in lines)


def test_n21_export_of_an_alias_has_a_note(run: Run) -> None:
    _, out, _ = run("export", "--measures", "complete,order_fill_final", "--format", "csv", "--out", "-")
    own, same = csv.DictReader(io.StringIO(out))
    assert (same["measure"], same["value"]) == ("order_fill_final", own["value"])
    assert same["note"] == "order_fill_final is another name of complete"

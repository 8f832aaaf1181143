"""bandit finds nothing of high severity, and every finding of medium severity has a reason here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUOTED = "names come from our schema, or are quoted by `sql_name`; values are bound, or quoted by `sql_literal`"
EXPLAINED = {
    ("B608", "ingest/read/"): f"DuckDB's SQL over staged rows, in the locked sandbox: {QUOTED}",
    ("B608", "ingest/inference/"): f"reads a sample of the user's own files or database for `init`: {QUOTED}",
    ("B608", "ingest/load/"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/storage/"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/quarantine/"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/runs/"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/validate/"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/pipeline.py"): f"scratch database of the run: {QUOTED}",
    ("B608", "ingest/saved_edits.py"): f"scratch database of the run: {QUOTED}",
    ("B608", "metrics/warehouse/"): f"settings and names of tables: {QUOTED}",
    ("B608", "metrics/sql/"): f"names of tables: {QUOTED}",
    ("B608", "sample_data/"): "makes sample records from constants of this package; reads no input",
    ("B104", "dashboard/server/start.py"): "compares --host with 0.0.0.0; other hosts than loopback need a sign-in",
    ("B310", "dashboard/server/start.py"): "the address is http://, of the server that this process starts",
}
"""Rule of bandit and folder, with the reason why the finding is no hole. Kinds of findings are reviewed, not lines."""


@pytest.mark.long
def test_bandit_finds_nothing_high_and_every_medium_has_a_reason() -> None:
    folders = ["metrics", "ingest", "dashboard", "commands", "pages", "sample_data", "buyerview.py"]
    words = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r", *folders]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250).stdout
    found = json.loads(printed)
    assert found["errors"] == []
    assert len(found["metrics"]) > 200, "bandit must see the code"
    results = [(one["issue_severity"], one["test_id"], one["filename"].removeprefix("./")) for one in found["results"]]
    assert [one for one in results if one[0] == "HIGH"] == []
    medium = {(rule, file) for severity, rule, file in results if severity == "MEDIUM"}
    unexplained = [one for one in medium if not any(one[0] == rule and one[1].startswith(at) for rule, at in EXPLAINED)]
    assert sorted(unexplained) == []

"""Bring your data in a real browser: from an empty warehouse to a scorecard."""

import csv
import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.components import formatting
from metrics.measures.catalog import MEASURES
from tests.browser.conftest import ROOT, Screen, Served

pytestmark = [pytest.mark.browser, pytest.mark.long]
HEADER = ("Qté commandée", "Delivered On", "Item Code", "Promised Date", "Customer No.", "Delivery Note", "Line",
          "Sales Order", "Ship Date", "Delivered Qty", "Order Date")  # fmt: skip
MONDAY = date(2026, 3, 2)


def write_extract(path: Path, first: int = 1) -> None:
    """Write 40 orders with a line each. Every fifth is a day late, every eighth lacks a piece."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(HEADER)
        for number in range(first, first + 40):
            ordered = MONDAY + timedelta(days=number % 28)
            promised = ordered + timedelta(days=7)
            arrived = promised + timedelta(days=1 if number % 5 == 0 else 0)
            arrived_qty = 9 if number % 8 == 0 else 10
            rows.writerow(
                (10, arrived, f"P{number % 4}", promised, f"C{number % 3}", f"DN{number}", 10, f"SO{number}",
                 arrived - timedelta(days=1), arrived_qty, ordered)
            )  # fmt: skip


def exported(home: Path, folder: Path, measure: str) -> float:
    """Return the value that the command line exports for all days."""
    environment = {**os.environ, "BUYERVIEW_HOME": str(home)}
    environment.pop("BUYERVIEW_WAREHOUSE", None)
    words = ["export", "--measures", measure, "--format", "json", "--out", "number.json"]
    subprocess.run(
        [sys.executable, ROOT / "buyerview.py", *words], cwd=folder, env=environment, check=True, timeout=120
    )
    return float(json.loads((folder / "number.json").read_text())[0]["value"])


def wait_for(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).wait_for(timeout=120_000)


def test_flat_extract_becomes_a_scorecard_with_the_exported_numbers(
    chromium: Browser, serve: Served, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write_extract(tmp_path / "Weekly extract.csv")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Europe/Paris")
    page = context.new_page()
    screen = Screen(page, serve(home)).go()
    expect(page.get_by_test_id("stSidebarNavItems").get_by_role("link").first).to_contain_text("Bring your data")
    page.get_by_test_id("stMain").get_by_role("link", name="Bring your data").click()
    page.get_by_role("heading", name="Drop your files").wait_for()
    page.set_input_files("input[type=file]", tmp_path / "Weekly extract.csv")
    wait_for(page, "Show the result")
    page.get_by_role("button", name="Show the result").click()
    wait_for(page, "Publish data")
    assert not list(home.glob("gen-*")), "nothing is published before the button"
    expect(page.locator('[data-trial="on_time"]')).to_have_text("80.0%")
    expect(page.locator('[data-trial="complete"]')).to_have_text("87.5%")
    page.get_by_role("button", name="Publish data").click()
    expect(page.get_by_text("Published as data version 1")).to_be_visible(timeout=120_000)
    mapping = (home / "sources" / "weekly-extract" / "kept" / "mapping.toml").read_text(encoding="utf-8")
    assert 'time_zone = "Europe/Paris"' in mapping
    page.get_by_role("link", name="Open the scorecard").click()
    screen.value("on_time").wait_for(timeout=60_000)
    page.get_by_role("radio", name="All").click()
    for measure in ("on_time", "complete", "otif"):
        value = exported(home, tmp_path, measure)
        expect(screen.value(measure)).to_have_text(formatting.number(value, MEASURES[measure].unit))
    assert exported(home, tmp_path, "on_time") == 0.8
    context.close()

"""Complete tasks of the three kinds of user, in a real browser on the full sample. Each number is compared with
`buyerview export`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from dashboard.components import formatting
from dashboard.frame.period import choose
from metrics.alerts.rules import last_full_period
from metrics.facts.orders import order_facts_table
from metrics.lists.data_quality import freshness
from metrics.measures.catalog import MEASURES
from metrics.schema import service_cases
from metrics.warehouse import Location, reading
from tests.browser.conftest import ROOT, Screen, Served

pytestmark = pytest.mark.browser
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(sample: Location, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample's warehouse that the tests may change."""
    assert sample.folder is not None
    folder = tmp_path_factory.mktemp("walks") / "home"
    shutil.copytree(sample.folder, folder)
    return folder


@pytest.fixture(scope="module")
def command(home: Path) -> Command:
    """Run the command line on that warehouse."""

    def go(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BUYERVIEW_HOME": str(home), "PYTHONPATH": str(ROOT)}
        environment.pop("BUYERVIEW_WAREHOUSE", None)
        asked = [sys.executable, "-c", "import buyerview; buyerview.main()", *[str(word) for word in words]]
        return subprocess.run(
            asked, env=environment, cwd=home.parent, check=check, capture_output=True, text=True, timeout=120
        )

    return go


@pytest.fixture(scope="module")
def desk(chromium: Browser, serve: Served, home: Path) -> Iterator[Screen]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    yield Screen(context.new_page(), serve(home))
    context.close()


@pytest.fixture(scope="module")
def weeks(home: Path) -> dict[str, Any]:
    """The period that a page shows first."""
    with reading(Location(folder=home)) as connection:
        as_of = freshness(connection)["data_as_of"].date()
    chosen = choose("13W", as_of=as_of, first=as_of)
    return {"--from": chosen.start, "--to": chosen.end}


def exported(
    command: Command, weeks: dict[str, Any], *names: str, by: str = "", where: str = ""
) -> list[dict[str, Any]]:
    words = [
        "export",
        "--measures",
        ",".join(names),
        "--format",
        "json",
        "--out",
        "-",
        *[str(word) for pair in weeks.items() for word in pair],
    ]
    words += ["--by", by] if by else []
    words += ["--where", where] if where else []
    found: list[dict[str, Any]] = json.loads(command(*words).stdout)
    return found


def text(row: dict[str, Any]) -> str:
    return formatting.number(row["value"], MEASURES[row["measure"]].unit)


@pytest.mark.long
def test_manager_finds_the_worst_segment_and_the_reasons_for_failures(
    desk: Screen, command: Command, weeks: dict[str, Any]
) -> None:
    desk.go()
    for row in exported(command, weeks, "otif", "on_time", "complete", "damage_free", "cycle_days"):
        expect(desk.value(row["measure"])).to_contain_text(text(row))
    segments = {row["segment"]: row for row in exported(command, weeks, "otif", by="segment")}
    table = desk.page.get_by_role("table", name=re.compile("by customer segment"))
    for name, row in segments.items():
        expect(
            table.get_by_role("row").filter(has=desk.page.get_by_role("rowheader", name=name, exact=True))
        ).to_contain_text(text(row))

    desk.page.get_by_role("toolbar", name="Segment").get_by_role("button", name="C", exact=True).click()
    expect(desk.value("otif")).to_contain_text(text(segments["C"]))
    desk.idle()

    desk.page.get_by_role("link", name=text(segments["C"]), exact=True).first.click()
    expect(desk.page.get_by_role("heading", level=1)).to_have_text("Behind the number")
    desk.idle()
    expect(desk.page.locator("[data-proven]")).to_have_attribute("data-proven", "true")
    missed = int(segments["C"]["denominator"] - segments["C"]["numerator"])
    sizes = {"Passed": int(segments["C"]["numerator"]), "Failed": missed}
    expect(desk.page.locator("[data-proven]")).to_contain_text(f"{missed:,} orders")
    for part, size in sizes.items():
        desk.page.locator(".bv-parts").get_by_role("link", name=re.compile(f"^{part}")).click()
        expect(desk.page.locator("[data-proven]")).to_contain_text(f"{size:,} orders")
    desk.idle()
    order = desk.page.locator("table").last.get_by_role("link").first
    number = order.inner_text()
    order.click()
    expect(desk.page.get_by_role("heading", name=re.compile(f"Order {number}"))).to_be_visible()

    desk.go()
    desk.page.get_by_role("link", name="Explain this change").first.click()
    expect(desk.page.get_by_role("heading", level=1)).to_have_text("What changed")
    desk.idle()
    expect(desk.page.get_by_test_id("stException")).to_have_count(0)


def test_service_team_assigns_and_resolves_an_order_and_the_measures_change(
    desk: Screen, command: Command, home: Path, weeks: dict[str, Any]
) -> None:
    facts = order_facts_table.c
    failed = command(
        "export",
        "--measures",
        "failed_orders",
        "--format",
        "json",
        "--out",
        "-",
        *[str(one) for pair in weeks.items() for one in pair],
    )
    desk.go("/failed-orders")
    expect(desk.page.locator(".bv-ledger").first).to_contain_text(text(json.loads(failed.stdout)[0]))

    with reading(Location(folder=home)) as connection:
        next_version = connection.info["generation"] + 1  # another walk may have applied edits to this copy
        late = connection.scalars(
            select(facts.order_id)
            .where(facts.on_time.is_(False), facts.due_day.between(weeks["--from"], weeks["--to"]))
            .order_by(facts.order_id)
        ).first()
    desk.go(f"/order-story?order={late}")
    desk.page.get_by_role("textbox", name="Your name").fill("Ada")
    desk.page.get_by_role("textbox", name="Your name").press("Enter")
    desk.idle()
    desk.page.get_by_role("button", name="Take order").click()
    expect(desk.page.get_by_text("Assigned to Ada.")).to_be_visible()
    desk.page.get_by_role("textbox", name="Comment").fill("Carrier lost a pallet <b>twice</b>")
    desk.page.get_by_role("button", name="Add comment").click()
    expect(desk.page.get_by_text("Carrier lost a pallet <b>twice</b>", exact=True)).to_be_visible()
    desk.idle()
    desk.page.get_by_text("Resolution", exact=True).click()
    desk.idle()  # the form opens with an animation
    desk.click_until("Resolve order", desk.page.get_by_text("Choose a remedy."))
    expect(desk.page.get_by_text("Choose a remedy.")).to_be_in_viewport()
    desk.page.get_by_text("Replaced", exact=True).click()
    desk.page.get_by_role("textbox", name="Details").fill("Sent the rest by courier")
    desk.click_until("Resolve order", desk.page.get_by_text("Sent the rest by courier").first)
    desk.idle()

    applied = command("apply")
    assert f"data version {next_version}" in applied.stdout + applied.stderr
    c = service_cases.c
    with reading(Location(folder=home)) as connection:
        assert connection.info["generation"] == next_version
        resolutions = connection.execute(
            select(c.order_id, c.resolved_at).where(c.source == "written in Buyerview")
        ).all()
    assert [(row.order_id, row.resolved_at is not None) for row in resolutions] == [(late, True)]
    expect(desk.page.get_by_text(f"Data version {next_version}")).to_be_visible(timeout=30_000)
    expect(desk.page.get_by_text("Sent the rest by courier").first).to_be_visible()
    desk.idle()
    desk.click_until("Reopen order", desk.page.get_by_role("button", name="Release order"))
    expect(desk.page.get_by_text("Assigned to Ada.")).to_be_visible()
    expect(desk.page.get_by_text("Resolution", exact=True)).to_be_visible()


@pytest.mark.long
def test_manager_saves_a_view_writes_a_rule_edits_a_target_and_prints_a_service_review(
    desk: Screen, command: Command, home: Path, weeks: dict[str, Any]
) -> None:
    page = desk.page
    (in_c,) = exported(command, weeks, "available_as_wanted", where="segment=C")
    desk.go("/availability?segment=C")
    page.get_by_test_id("stPopoverButton").filter(has_text="Save view").click()
    page.get_by_role("textbox", name="Your name").fill("Ada")
    page.get_by_role("textbox", name="Name of the view").fill("Monday C")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Save view").click()
    expect(page.get_by_text("Saved as “Monday C”.")).to_be_visible()
    desk.go("/views-and-alerts")
    page.get_by_role("link", name="Monday C").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Availability")
    expect(page).to_have_url(re.compile("segment=C"))
    expect(page.locator(".bv-headline")).to_contain_text(text(in_c))

    with reading(Location(folder=home)) as connection:
        as_of = freshness(connection)["data_as_of"].date()
    start, end = last_full_period("week", as_of)
    (week,) = exported(command, {"--from": start, "--to": end}, "otif")
    desk.go("/views-and-alerts")
    page.get_by_role("textbox", name="Name", exact=True).fill("OTIF low")
    page.get_by_role("textbox", name="Name", exact=True).press("Enter")
    expect(page.get_by_text(re.compile("Over the last 26 weeks it would have fired"))).to_be_visible()
    desk.idle()
    desk.click_until("Save rule", page.get_by_role("row").filter(has_text="OTIF low"))
    expect(page.get_by_role("row").filter(has_text="OTIF low")).to_contain_text(text(week))

    desk.go("/definitions?target=otif")
    page.get_by_label("Target (%)").fill("99")
    page.get_by_role("button", name="Preview edit").click()
    expect(page.get_by_text(re.compile("The edit changes [1-9]"))).to_be_visible()
    expect(page.get_by_role("table", name="Effect of the edit")).to_contain_text("target 99.0%")
    desk.idle()
    desk.click_until("Save edit", page.get_by_text("1 pending edit"))
    command("apply")
    (target,) = exported(command, weeks, "otif")
    desk.go()
    tile = page.locator(".bv-tile").filter(has=desk.value("otif"))
    expect(tile).to_contain_text(text(target))
    expect(tile).to_contain_text("target 99.0%")

    known = [row for row in exported(command, weeks, "perfect_order", by="customer") if row["value"] is not None]
    perfect = max(known, key=lambda row: row["denominator"])
    desk.go(f"/customer?customer={perfect['customer']}")
    expect(desk.value("perfect_order")).to_have_text(text(perfect))
    with page.expect_download() as got:
        page.get_by_role("button", name="Service review (PDF)").click()
    assert Path(got.value.path()).read_bytes().startswith(b"%PDF-")


@pytest.mark.long
def test_analyst_downloads_a_table_and_verifies_it_later(desk: Screen, command: Command, tmp_path: Path) -> None:
    desk.go("/export?m=otif&m=cycle_days&m=ordered_value&by=segment&by=channel&period=26W")
    desk.page.get_by_role("radio", name="Excel", exact=True).click()
    desk.idle()
    button = desk.page.get_by_role("button", name="Download Excel")
    with desk.page.expect_download() as got:
        button.click()
    file = tmp_path / got.value.suggested_filename
    got.value.save_as(file)
    assert command("verify", file).returncode == 0

    desk.page.get_by_role("radio", name="CSV", exact=True).click()
    desk.idle()
    with desk.page.expect_download() as got:
        desk.page.get_by_test_id("stDownloadButton").get_by_role("button", name="Download CSV").click()
    archive = tmp_path / got.value.suggested_filename
    got.value.save_as(archive)
    shutil.unpack_archive(archive, tmp_path / "out")
    (table,) = (tmp_path / "out").glob("*.csv")
    assert command("verify", table).returncode == 0
    written = table.read_text()
    table.write_text(re.sub(r",0\.(\d)", lambda found: f",0.{(int(found[1]) + 1) % 10}", written, count=1))
    assert table.read_text() != written
    altered = command("verify", table, check=False)
    assert altered.returncode == 1
    assert "altered" in (altered.stdout + altered.stderr).lower()

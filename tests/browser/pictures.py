"""`python -m tests.browser.pictures [--out DIR] [--home DIR] [--only PATH] [--all-kinds]`: take pictures of every page,
desktop and phone, light and dark.

Without --home they show 3,000 sample orders of every feed. Pages about one order or one measure show an example.
The folder may be empty: the pictures then show what a page says before the first data.
"""

import argparse
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from sqlalchemy import select

from benchmarks.page_latency import FLAGS, served
from dashboard.frame import menu_entries
from ingest.pipeline import run
from metrics import warehouse
from metrics.facts.orders import order_facts_table
from metrics.warehouse import Location, current, reading
from sample_data import generate
from tests.browser.conftest import SETTLED
from tests.support.programs import require

OUT = Path(__file__).resolve().parents[2] / "docs" / "pictures"
KINDS = ((1440, "light"), (1440, "dark"), (390, "light"))
ALL_KINDS = (*KINDS, (390, "dark"))
COLOURS = 96
"""Enough colours for flat pages. As lossless WebP, a picture takes a sixth of the bytes."""


def addresses(home: Path) -> Iterator[tuple[str, str]]:
    """Name and address of every page's picture."""
    facts = order_facts_table.c
    place = Location(folder=home)
    failed = None
    if current(place) is not None:
        with reading(place) as connection:
            bad = facts.otif.is_(False)
            failed = connection.scalars(
                select(facts.order_id).where(bad).order_by(facts.damage_free.is_(False).desc(), facts.order_id)
            ).first()
    named = {"order-story": f"?order={failed}", "behind": "?measure=otif"}
    for entry in menu_entries.ENTRIES:
        yield entry.path or "scorecard", f"/{entry.path}{named.get(entry.path, '')}"


def take(home: Path, out: Path, only: str | None, kinds: tuple[tuple[int, str], ...] = KINDS) -> None:
    """Write the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    with served(home) as (address, _, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(require("chromium", "apt-get install chromium")), args=list(FLAGS)
        )
        for width, scheme in kinds:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            for name, path in addresses(home):
                if only not in (None, name):
                    continue
                page.goto(f"http://{address}{path}", wait_until="commit")
                page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
                page.wait_for_timeout(400)
                page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=60_000)
                page.wait_for_function(SETTLED, polling=100, timeout=60_000)  # drawn after the script
                # The page scrolls inside its own frame, so the window must be as high as the content.
                height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                page.set_viewport_size({"width": width, "height": min(max(int(height), 900), 6000)})
                page.wait_for_timeout(900)
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS).convert("RGB")
                picture.save(out / f"{name}-{width}-{scheme}.webp", lossless=True)
                page.set_viewport_size({"width": width, "height": 900})
            context.close()
        browser.close()


def main() -> None:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__.partition("\n")[0])
    words.add_argument("--out", type=Path, default=OUT)
    words.add_argument("--home", type=Path, help="folder of a loaded warehouse")
    words.add_argument("--only", help="one page by its path, e.g. stockouts")
    words.add_argument("--all-kinds", action="store_true", help="also the phone in dark")
    asked = words.parse_args()
    kinds = ALL_KINDS if asked.all_kinds else KINDS
    if asked.home:
        take(asked.home, asked.out, asked.only, kinds)
        return
    with tempfile.TemporaryDirectory(prefix="buyerview-pictures-") as folder:
        place = Location(folder=Path(folder) / "home")
        run(generate(3000, Path(folder) / "sample"), location=place)
        warehouse.close(place)
        take(Path(folder) / "home", asked.out, asked.only, kinds)


if __name__ == "__main__":
    main()

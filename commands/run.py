"""Sample orders, ingest runs and the server: demo, sample, ingest, apply, serve."""

import json
import re
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from commands.notifications import check_rules
from commands.output import out, progress_bars, screen, summary

DEMO_ORDERS = 20_000
ENTRY = Path(__file__).parents[1] / "buyerview.py"


def demo(
    orders: Annotated[int, typer.Option(help="How many sample orders to make.")] = DEMO_ORDERS,
    port: Annotated[int, typer.Option(help="Port on localhost; 0 takes a free one.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Make sample orders, ingest them and open the dashboard."""
    from ingest.pipeline import run
    from metrics.warehouse import locate
    from sample_data import generate

    place = locate()
    folder = (place.folder or Path.cwd() / "buyerview-data") / f"sample-{orders}"
    with progress_bars(shown=True) as tell:
        mapping = generate(
            orders, folder, progress=lambda done, wanted: tell("make sample orders", done / max(wanted, 1))
        )
        report = run(mapping, progress=tell)
    summary(report)
    _serve(port, browser=browser)


def sample(
    orders: Annotated[int, typer.Option("--orders", min=1, help="How many orders.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 7,
) -> None:
    """Write sample records with planted defects, and the mapping file for them."""
    from sample_data import generate

    with progress_bars(shown=True) as tell:
        mapping = generate(orders, folder, seed, lambda done, wanted: tell("make sample orders", done / max(wanted, 1)))
    out.print(str(mapping), markup=False, soft_wrap=True)


def ingest(
    mapping: Annotated[Path, typer.Argument(help="Mapping file (docs/mapping.md).", metavar="MAPPING.toml")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the mapping's relative paths start (default: its own folder).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all to a copy and report; change nothing.")] = False,
    every: Annotated[str | None, typer.Option("--every", help="Keep pulling: 30s, 5m, 1h.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read, validate, load and publish what a mapping file names."""
    from ingest.pipeline import run
    from metrics.errors import BuyerviewError

    pause = _seconds(every) if every else None
    while True:
        try:
            with progress_bars(shown=not as_json) as tell:
                report = run(mapping, data_dir=data, dry_run=dry_run, progress=tell)
        except BuyerviewError as error:
            if pause is None:
                raise
            screen.print(f"buyerview: {error}", markup=False, style="red", soft_wrap=True)
        else:
            if as_json:
                print(json.dumps(report.to_json(), default=str), flush=True)
            else:
                summary(report)
            if not dry_run:
                check_rules()
        if pause is None:
            return
        time.sleep(pause)


def apply(as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False) -> None:
    """Bring what people wrote on the pages (resolved orders and the like) into the numbers."""
    from ingest.saved_edits import ingest_saved_edits

    with progress_bars(shown=not as_json) as tell:
        report = ingest_saved_edits(progress=tell)
    if as_json:
        print(json.dumps(report.to_json() if report else None, default=str), flush=True)
    elif report:
        summary(report)
    else:
        screen.print("Nothing was written on the pages yet.")
    check_rules()


def serve(
    port: Annotated[int, typer.Option("--port", help="Port on localhost; 0 takes a free one.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Serve the dashboard on localhost."""
    _serve(port, browser=browser)


def _serve(port: int, *, browser: bool) -> None:
    from dashboard.editing import background_apply
    from dashboard.server.start import ServerRefused, serve
    from metrics.errors import SettingRefused

    background_apply.register(_apply_beside)

    def ready(address: str) -> None:
        out.print(f"Buyerview is at {address} (stop with Ctrl+C)", markup=False, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    try:
        serve(port=port, ready=ready)
    except ServerRefused as error:
        raise SettingRefused("dashboard settings", str(error)) from error
    except OSError as error:
        raise SettingRefused(
            "--port", f"port {port} cannot be used ({error.strerror}); choose another, or 0 for a free one"
        ) from error


def _apply_beside() -> tuple[int, str]:
    """`buyerview apply` as a process of its own: a run would hold the server's interpreter for seconds."""
    done = subprocess.run([sys.executable, ENTRY, "apply", "--json"], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if not found or float(found[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is no span of time: write 30s, 5m or 1h", param_hint="--every")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]

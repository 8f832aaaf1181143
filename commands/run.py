"""Commands for sample data, ingest runs and the server: demo, sample, ingest, apply, build, serve."""

import json
import re
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from commands.failures import explain
from commands.limits import limited_memory
from commands.notifications import check_rules
from commands.output import out, progress_bars, screen, summary

DEMO_ORDERS = 20_000
ENTRY = Path(__file__).parents[1] / "buyerview.py"


def demo(
    orders: Annotated[int, typer.Option(help="Number of sample orders.")] = DEMO_ORDERS,
    port: Annotated[int, typer.Option(help="Port on localhost; 0 chooses a free port.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Generate sample orders, ingest them and open the dashboard."""
    from ingest.pipeline import run
    from metrics.warehouse import locate
    from sample_data import generate

    place = locate()
    folder = (place.folder or Path.cwd() / "buyerview-data") / f"sample-{orders}"
    with progress_bars(shown=True) as progress:
        mapping = generate(
            orders, folder, progress=lambda done, total: progress("generate sample orders", done / max(total, 1))
        )
        report = run(mapping, progress=progress)
    summary(report)
    screen.print("The sample contains planted errors, so that checks reject some rows.", soft_wrap=True)
    _serve(port, browser=browser)


def sample(
    orders: Annotated[int, typer.Option("--orders", min=1, help="Number of orders.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write to; it is created if it does not exist.")],
    seed: Annotated[int, typer.Option("--seed", help="Random seed; the same seed gives the same files.")] = 7,
) -> None:
    """Write sample records and a mapping file for them.

    The records contain known defects, so that quarantine has something to show.
    """
    from sample_data import generate

    with progress_bars(shown=True) as progress:
        mapping = generate(
            orders, folder, seed, lambda done, total: progress("generate sample orders", done / max(total, 1))
        )
    out.print(str(mapping), markup=False, soft_wrap=True)


def ingest(
    mapping: Annotated[Path, typer.Argument(help="Mapping file (docs/mapping.md).", metavar="MAPPING.toml")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the mapping's relative paths. Default: the folder of the mapping file."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run on a copy and report the result; change nothing.")
    ] = False,
    every: Annotated[str | None, typer.Option("--every", help="Repeat the run at this interval: 30s, 5m, 1h.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read, validate, load and publish the feeds of a mapping file."""
    from ingest.pipeline import run

    pause = _seconds(every) if every else None
    while True:
        try:
            with progress_bars(shown=not as_json) as progress, limited_memory():
                report = run(mapping, data_dir=data, dry_run=dry_run, progress=progress)
        except Exception as error:
            if pause is None:
                raise
            screen.print(f"buyerview: {explain(error)[0]}", markup=False, style="red", soft_wrap=True)
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
    """Apply saved edits, such as resolved orders, to the numbers."""
    from ingest.saved_edits import ingest_saved_edits

    with progress_bars(shown=not as_json) as progress, limited_memory():
        report = ingest_saved_edits(progress=progress)
    if as_json:
        print(json.dumps(report.to_json() if report else None, default=str), flush=True)
    elif report:
        summary(report)
    else:
        screen.print("There are no saved edits to apply.")
    check_rules()


def build(
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="Zone of dates without a time, for example Europe/Berlin.")
    ] = "UTC",
) -> None:
    """Build facts from the canonical tables of a lake that another tool fills, and publish them (docs/cluster.md)."""
    from ingest.filled_lake import publish_filled_lake
    from metrics.warehouse import locate

    with limited_memory():
        published = publish_filled_lake(locate(), time_zone=time_zone)
    screen.print(f"published: data version {published.number}.")
    check_rules()


def serve(
    port: Annotated[int, typer.Option("--port", help="Port; 0 chooses a free port.")] = 8501,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at. Other machines can reach it only with a sign-in.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Serve the dashboard, on this machine only unless people sign in."""
    _serve(port, host=host, browser=browser)


def _serve(port: int, *, browser: bool, host: str = "127.0.0.1") -> None:
    from dashboard.editing import background_apply
    from dashboard.server.start import ServerRefused, serve
    from metrics.errors import SettingRefused

    background_apply.register(_apply_in_subprocess)

    def ready(address: str) -> None:
        out.print(f"Buyerview is at {address} (stop with Ctrl+C)", markup=False, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    try:
        serve(host=host, port=port, ready=ready)
    except ServerRefused as error:
        raise SettingRefused("dashboard settings", str(error)) from error
    except OSError as error:
        raise SettingRefused(
            "--port",
            f"port {port} of {host} cannot be used ({error.strerror}); choose another port, or 0 for a free port",
        ) from error


def _apply_in_subprocess() -> tuple[int, str]:
    """Run `buyerview apply` in its own process, because a run would block the server for seconds."""
    finished = subprocess.run([sys.executable, ENTRY, "apply", "--json"], capture_output=True, text=True, check=False)
    return finished.returncode, finished.stderr.strip()


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if not match or float(match[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is not an interval; write 30s, 5m or 1h", param_hint="--every")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]

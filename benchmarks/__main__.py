"""Compare ingest, facts, queries and a small run with their baselines: `python -m benchmarks [--orders N]`.

Ratios can be compared between machines; seconds cannot. `--data` names a folder with a sample, which is generated there
if it is missing. The default is a temporary folder. `python -m benchmarks profile` prints where the time of an ingest
goes instead. With `--small`, it is the run of 1 % new and 0.1 % corrected orders of the sample. `--home` names the
folder of a warehouse that has the sample already; without it, the sample is ingested first.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any  # rows of JSON

from benchmarks import delta_files
from benchmarks.postgres_server import temporary_server
from sample_data import generate
from sample_data.generator import Feeds

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 3600


def measure(*words: object) -> dict[str, Any]:
    """Return the answer of a child process. Raises CalledProcessError if the child fails."""
    print(f"  {words[0]} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.measure_in_process", *[str(word) for word in words]]
    finished = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "FAILPOINT": ""}, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT
    )
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def run(orders: int, data: Path | None, feeds: Feeds, peer: str = sys.executable) -> dict[str, Any]:
    """Run every measurement and return the content of the JSON output."""
    with tempfile.TemporaryDirectory(prefix="buyerview-benchmarks-") as folder:
        work = Path(folder)
        sample = data or work / "sample"
        mapping = sample_mapping(orders, sample, feeds)
        small = delta_files.write(sample, work / "delta")
        home = work / "home"
        answers = {
            "bare": measure("bare", mapping, work / "bare.duckdb"),
            "full": measure("ingest", mapping, home),
            "facts": measure("facts", home),
            "hand": measure("hand", home, work / "hand.duckdb"),
            "query": measure("query", home),
            "carriers": measure("carriers", home),
            "pandas": measure("pandas", sample),
            "delta": measure("ingest", small, home),
            "edit": measure("edit", home),
            "peer": measure("peer", home, peer),
            "tiny": measure("tiny", work / "tiny"),
            **on_postgres(mapping, small),
        }
    return {"orders": orders, **summary(answers), "machine": machine()}


def on_postgres(mapping: Path, small: Path) -> dict[str, dict[str, Any]]:
    """Measure the same full run and small run on PostgreSQL. Without an installed PostgreSQL, nothing is measured."""
    with temporary_server() as url:
        if url is None:
            return {}
        return {"postgres": measure("ingest", mapping, url), "postgres_delta": measure("ingest", small, url)}


def sample_mapping(orders: int, folder: Path, feeds: Feeds) -> Path:
    """Return the mapping of the sample in a folder. Generate the sample if it is missing."""
    mapping = folder / "mapping.toml"
    if not mapping.exists():
        print(f"  generate {orders:,} sample orders ...", file=sys.stderr, flush=True)
        generate(orders, folder, feeds=feeds)
    return mapping


def profile(orders: int, data: Path | None, feeds: Feeds, engine: str) -> None:
    """Print the time of an ingest by step and by statement (benchmarks/profile_run.py)."""
    with tempfile.TemporaryDirectory(prefix="buyerview-benchmarks-") as folder:
        mapping = sample_mapping(orders, data or Path(folder), feeds)
        command = [sys.executable, "-m", "benchmarks.profile_run", str(mapping), "--engine", engine]
        subprocess.run(command, cwd=ROOT, check=True)


def profile_small(orders: int, data: Path | None, feeds: Feeds, home: Path | None) -> None:
    """Print the time of a small run by step and by statement. It continues a copy of the warehouse of the sample."""
    with tempfile.TemporaryDirectory(prefix="buyerview-benchmarks-") as folder:
        work = Path(folder)
        sample = data or work / "sample"
        mapping = sample_mapping(orders, sample, feeds)
        if home is None:
            home = work / "home"
            measure("ingest", mapping, home)
        small = delta_files.write(sample, work / "delta")
        command = [sys.executable, "-m", "benchmarks.profile_run", str(small), "--home", str(home), "--runs", "1"]
        subprocess.run(command, cwd=ROOT, check=True)


def summary(answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return ratios, seconds and memory from the answers of the child processes."""
    bare, full, facts, hand = answers["bare"], answers["full"], answers["facts"], answers["hand"]
    query, carriers, pandas, delta = answers["query"], answers["carriers"], answers["pandas"], answers["delta"]
    on_server = {name: answers[name] for name in ("postgres", "postgres_delta") if name in answers}
    embedded = {"postgres": full, "postgres_delta": delta}
    by_name = {
        "ingest": full,
        "bare_load": bare,
        "facts": facts,
        "facts_by_hand": hand,
        "by_carrier": carriers,
        "by_carrier_pandas": pandas,
        "delta": delta,
    }
    return {
        "rows": full["rows"],
        "ingest_ratio": full["seconds"] / bare["seconds"],
        "facts_ratio": facts["seconds"] / hand["seconds"],
        "query_ratio": query["seconds"] / query["hand_seconds"],
        "pandas_ratio": pandas["seconds"] / carriers["seconds"],
        "delta_ratio": delta["seconds"] / full["seconds"],
        "peak_memory_mb": full["peak_mb"],
        "seconds": {
            **{name: answer["seconds"] for name, answer in by_name.items()},
            "ledgers": facts["ledger_seconds"],
            "query": query["seconds"],
            "query_by_hand": query["hand_seconds"],
        },
        "cpu_seconds": {name: answer["cpu_seconds"] for name, answer in by_name.items()},
        "ingest_steps": full["steps"],
        "delta_steps": delta["steps"],
        "memory_mb": {name: by_name[name]["peak_mb"] for name in ("by_carrier", "by_carrier_pandas", "facts", "delta")},
        "hand_agreement": hand["agreement"],
        "delta_rows": delta["rows"],
        "edit_to_number_s": answers["edit"]["seconds"],
        "edit_cpu_s": answers["edit"]["cpu_seconds"],
        "tiny_wall_s": answers["tiny"]["seconds"],
        "tiny_cpu_s": answers["tiny"]["cpu_seconds"],
        "postgres_ratio": None,
        **{f"{name}_ratio": one["seconds"] / embedded[name]["seconds"] for name, one in on_server.items()},
        **{f"{name}_cpu_ratio": one["cpu_seconds"] / embedded[name]["cpu_seconds"] for name, one in on_server.items()},
        "sidemantic": {name: value for name, value in answers["peer"].items() if name != "peak_mb"},
    }


def machine() -> dict[str, Any]:
    """Return the processor count, the load and the versions of this machine."""
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "system": platform.platform(terse=True),
    }


TABLE = (
    ("S1", "ingest", "ingest", "plain typed load", "bare_load", "ingest_ratio", "≤ 7"),
    ("S3", "1 % new, 0.1 % corrected", "delta", "the full run", "ingest", "delta_ratio", "≤ 0.04"),
    ("S4", "facts and rollups", "facts", "by hand", "facts_by_hand", "facts_ratio", "≤ 1.1"),
    ("S5", "scorecard from the rollup", "query", "by hand", "query_by_hand", "query_ratio", "≤ 2"),
    ("S6", "pandas, by carrier", "by_carrier_pandas", "from the facts", "by_carrier", "pandas_ratio", "≥ 20"),
)


def table(results: dict[str, Any]) -> str:
    """Return the results as a text table."""
    seconds, computer = results["seconds"], results["machine"]
    lines = [
        f"{results['orders']:,} orders, {results['rows']:,} records; "
        f"machine load {computer['load']:.1f} on {computer['cpus']} CPUs",
        "",
    ]
    lines.append(
        f"{'':4}{'measurement':28}{'seconds':>10}  {'baseline':18}{'seconds':>10}{'ratio':>9}{'of CPU':>9}  budget"
    )
    for number, title, ours, against, baseline, ratio, budget in TABLE:
        cpu = results["cpu_seconds"]
        cpu_ratio = f"{cpu[ours] / cpu[baseline]:9.3f}" if ours in cpu else f"{'':9}"
        lines.append(
            f"{number:4}{title:28}{seconds[ours]:10.3f}  {against:18}{seconds[baseline]:10.3f}"
            f"{results[ratio]:9.3f}{cpu_ratio}  {budget}"
        )
    memory = results["memory_mb"]
    lines += [
        "",
        f"peak memory of ingest: {results['peak_memory_mb']:,.0f} MB (budget 2,000 at a million orders); "
        f"of the scorecard by carrier {memory['by_carrier']:,.0f} MB, of pandas {memory['by_carrier_pandas']:,.0f} MB",
        "steps of ingest, seconds: "
        + ", ".join(f"{name} {took:.2f}" for name, took in results["ingest_steps"].items()),
        "steps of the small run:   " + ", ".join(f"{name} {took:.2f}" for name, took in results["delta_steps"].items()),
        f"further fact tables, which the baseline does not have: {seconds['ledgers']:.2f} s",
        f"a saved edit reached the numbers in {results['edit_to_number_s']:.1f} s "
        f"({results['edit_cpu_s']:.1f} s of CPU; budget 5 s at 20,000 orders)",
        f"200 orders, all feeds, from the shell: {results['tiny_wall_s']:.1f} s, {results['tiny_cpu_s']:.1f} s of CPU "
        "(budget 4 and 5)",
        "PostgreSQL against DuckDB: "
        + (
            f"{results['postgres_ratio']:.1f}, of CPU {results['postgres_cpu_ratio']:.1f} (budget 4); small run "
            f"{results['postgres_delta_ratio']:.1f}, of CPU {results['postgres_delta_cpu_ratio']:.1f} (budget 2)"
            if results["postgres_ratio"]
            else "PostgreSQL is not installed"
        ),
        "three shares by segment and month, CPU seconds: "
        + ", ".join(f"{name} {value}" for name, value in results["sidemantic"].items()),
        f"the hand-written facts agree on {results['hand_agreement']:.1%} of the verdicts of orders",
    ]
    return "\n".join(lines)


def main() -> None:
    """Parse the options, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("ratios", "profile"), default="ratios", help="default: ratios")
    parser.add_argument("--orders", type=int, help="number of sample orders (default: 100000; of a profile 200)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--peer", default=sys.executable, help="Python with Sidemantic; default: this one")
    parser.add_argument("--data", type=Path, help="folder of a sample; it is generated there if it is missing")
    parser.add_argument(
        "--feeds",
        choices=("core", "all"),
        help="core: the six core feeds and the master data, which the budgets refer to; or all feeds, as in a profile",
    )
    parser.add_argument(
        "--engine", choices=("duckdb", "postgres"), default="duckdb", help="warehouse of a profile (default: duckdb)"
    )
    parser.add_argument("--small", action="store_true", help="profile the small run (DuckDB)")
    parser.add_argument("--home", type=Path, help="folder of a warehouse with the sample, for --small")
    options = parser.parse_args()
    if options.what == "profile" and options.small:
        profile_small(options.orders or 200, options.data, options.feeds or "all", options.home)
        return
    if options.what == "profile":
        profile(options.orders or 200, options.data, options.feeds or "all", options.engine)
        return
    results = run(options.orders or 100_000, options.data, options.feeds or "core", options.peer)
    print(json.dumps(results, indent=2) if options.json else table(results))


if __name__ == "__main__":
    main()

"""Profile ingest runs in this process: `python -m benchmarks.profile_run MAPPING [--runs N] [--top N] [--engine NAME]`.

Each run writes to an empty warehouse of its own, or with `--home` to a copy of a folder. On PostgreSQL the processor
seconds contain those of the server. The first run is what a command pays. The later runs are what the next run of a
server or a test pays. `python -m benchmarks profile` generates the sample first.

The peaks are the highest memory of the process in a step, and in any call of a statement (Linux only). Each contains
what was in memory before. The time outside statements is Python, and for `start` and `publish` the files.
"""

import argparse
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import duckdb
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPICursor

if TYPE_CHECKING:
    from metrics.warehouse import Location

STARTED, SPENT = time.perf_counter(), time.process_time()
WIDTH = 110
PEAK, FORGET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The highest memory of this process since a part began, in MB. It is 0 on systems without Linux's counters."""

    def __init__(self) -> None:
        self.highest = 0.0

    def since_last(self) -> float:
        """Return the highest memory since the last call."""
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", PEAK.read_text(encoding="ascii"))
            FORGET_PEAK.write_text("5", encoding="ascii")  # the kernel begins a new peak
        except OSError:
            return 0.0
        peak = int(found[1]) / 1024 if found else 0.0
        self.highest = max(self.highest, peak)
        return peak


class Profile:
    """Seconds and memory by step and by statement. Statements that differ only in numbers count as one."""

    def __init__(self, spent: Callable[[], float]) -> None:
        self._spent = spent
        self.memory = PeakMemory()
        self.peaks: defaultdict[str, float] = defaultdict(float)
        self.peaks_of_steps: defaultdict[str, float] = defaultdict(float)
        self.steps: dict[str, list[float]] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self._step, self._of_statement = "start", 0.0
        self._began = (time.perf_counter(), spent(), 0.0)
        self.memory.since_last()
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)

    def progress(self, step: str, share: float) -> None:
        """Note the end of the step before. `share` is not used."""
        del share
        name = step.partition(" ")[0]
        if name != self._step:
            self.close()
            self._step = name

    def close(self) -> None:
        """Add the time since the last step to its step."""
        now = (time.perf_counter(), self._spent(), float(self.calls.total()))
        spent = self.steps.get(self._step, [0.0] * len(now))
        parts = zip(spent, now, self._began, strict=True)
        self.steps[self._step] = [before + ended - began for before, ended, began in parts]
        self._began = now
        self._note_peak()

    def _note_peak(self) -> float:
        """Return the highest memory since the last note, and count it in the step."""
        peak = self.memory.since_last()
        self.peaks_of_steps[self._step] = max(self.peaks_of_steps[self._step], peak)
        return peak

    def _before(self, *_: object) -> None:
        self._note_peak()
        self._of_statement = self._spent()

    def _after(self, _: Connection, cursor: DBAPICursor, statement: str, *__: object) -> None:
        self.add(statement, self._spent() - self._of_statement, cursor.rowcount)

    def add(self, statement: str, seconds: float, rows: int) -> None:
        """Add a statement that has run."""
        text = f"{len(statement) / 1000:5.1f}k {re.sub(r'[0-9]+', '#', ' '.join(statement[:400].split()))[:WIDTH]}"
        self.seconds[text] += seconds
        self.calls[text] += 1
        self.rows[text] += max(rows, 0)
        self.peaks[text] = max(self.peaks[text], self._note_peak())

    def table(self, top: int) -> str:
        """Return the steps, and the statements that took most processor time, as text."""
        lines = [f"{'step':12}{'seconds':>9}{'CPU':>8}{'statements':>12}{'peak MB':>9}"]
        lines += [
            f"{step:12}{took:9.2f}{cpu:8.2f}{calls:12.0f}{self.peaks_of_steps[step]:9.0f}"
            for step, (took, cpu, calls) in self.steps.items()
        ]
        title = f"{'CPU':>8}{'calls':>7}{'rows':>9}{'peak':>6}  statement, with its size in thousands of characters"
        lines += ["", title]
        lines += [self._line(text) for text in sorted(self.seconds, key=lambda one: -self.seconds[one])[:top]]
        lines.append(
            f"{sum(self.seconds.values()):8.3f}{self.calls.total():7}{self.rows.total():9}{'':6}  all statements"
        )
        lines += ["", "the statements with the highest memory"]
        lines += [self._line(text) for text in sorted(self.peaks, key=lambda one: -self.peaks[one])[: top // 2]]
        return "\n".join(lines)

    def _line(self, text: str) -> str:
        return f"{self.seconds[text]:8.3f}{self.calls[text]:7}{self.rows[text]:9}{self.peaks[text]:6.0f}  {text}"


class TimedConnection:
    """A connection to the staging database that adds its statements to a profile."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, profile: Profile) -> None:
        self._connection, self._profile = connection, profile

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: object) -> duckdb.DuckDBPyConnection:
        """Run a statement."""
        spent = time.process_time()
        result = self._connection.execute(statement, *parameters)
        self._profile.add(statement, time.process_time() - spent, -1)
        return result


@contextmanager
def timed_staging(profile: Profile) -> Iterator[None]:
    """Add the statements of the staging database to a profile."""
    from ingest.storage.scratch_database import Scratch

    connect = Scratch.connect
    with patch.object(Scratch, "connect", lambda scratch: TimedConnection(connect(scratch), profile)):
        yield


@contextmanager
def warehouse(engine: str, home: Path | None) -> Iterator["Location"]:
    """Yield an empty warehouse, which is a folder or a database on a temporary server. With `home`: a copy of it."""
    from benchmarks.compare_warehouses import location
    from benchmarks.postgres_server import temporary_server
    from metrics.warehouse import close

    with ExitStack() as stack:
        if engine == "duckdb":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="buyerview-profile-"))
            place = location(str(Path(folder) / "home"))
            if home is not None:
                shutil.copytree(home, Path(folder) / "home")
        else:
            place = location(stack.enter_context(temporary_server()) or sys.exit("PostgreSQL is not installed."))
        yield place
        close(place)


def profile(mapping: Path, runs: int, top: int, engine: str, home: Path | None) -> None:
    """Ingest a mapping several times, and print the time of the first and the last run by part."""
    from benchmarks.clock import clock, spent_by
    from ingest.pipeline import run

    highest = 0.0
    print(f"imports: {time.perf_counter() - STARTED:.2f} s, {time.process_time() - SPENT:.2f} s of CPU")
    for number in range(1, runs + 1):
        with warehouse(engine, home) as place, clock(place) as took:
            measured = Profile(spent_by(place)) if number in (1, runs) else None
            with timed_staging(measured) if measured else nullcontext():
                run(mapping, location=place, progress=measured.progress if measured else None)
            if measured:
                measured.close()
        print(f"run {number}: {took['seconds']:.2f} s, {took['cpu_seconds']:.2f} s of CPU")
        if measured:
            print(measured.table(top), end="\n\n")
            highest = max(highest, measured.memory.highest)
    in_a_megabyte = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts bytes, Linux kilobytes
    highest = max(highest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / in_a_megabyte)
    print(f"peak memory: {highest:,.0f} MB")


def main() -> None:
    """Parse the options and profile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_run", description=__doc__)
    parser.add_argument("mapping", type=Path, help="mapping file")
    parser.add_argument("--runs", type=int, default=2, help="number of runs in one process (default: 2)")
    parser.add_argument("--top", type=int, default=25, help="number of statements to print (default: 25)")
    parser.add_argument("--engine", choices=("duckdb", "postgres"), default="duckdb", help="default: duckdb")
    parser.add_argument("--home", type=Path, help="folder of the warehouse that each run continues in a copy")
    options = parser.parse_args()
    if options.home is not None and options.engine != "duckdb":
        parser.error("--home needs DuckDB")
    profile(options.mapping, options.runs, options.top, options.engine, options.home)


if __name__ == "__main__":
    main()

"""A system call on the build fails with EIO or ENOSPC (A9). Nothing published is lost, and the next run works."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metrics import warehouse
from metrics.warehouse import Location
from tests.fault import paired_tables
from tests.fault.failing_calls import CALLS, LAST
from tests.support import tries as counts
from tests.support.failpoints import ROOT
from tests.support.programs import require
from tests.support.tries import Tries

ROUNDS = counts.number(goal=32, usual=1)
AT_MOST = counts.number(goal=LAST, usual=3)
"""Calls that fail in a round, each in a publish of its own, for each kind of call and error."""


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("error", "when"), [("EIO", f"{LAST}"), ("ENOSPC", f"{LAST}+")], ids=["once", "from then on"])
def test_failing_system_call_loses_nothing_and_the_next_run_completes(
    call: str, error: str, when: str, tmp_path: Path, tries: Tries
) -> None:
    strace = require("strace", "apt-get install strace")
    before = Location(folder=tmp_path / "home-before")
    paired_tables.publish(before)
    warehouse.close(before)
    home, log = tmp_path / "home", tmp_path / "log"
    (tmp_path / "spare").touch()
    builds = [f"home/build-{number:08}.duckdb" for number in range(2, ROUNDS + 2)]
    files = ("spare", "home/CURRENT.tmp", *builds, *[f"{name}.wal" for name in builds])
    watched = [word for name in files for word in ("-P", str(tmp_path / name))]
    injected = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]
    command = [sys.executable, "-m", "tests.fault.failing_calls", str(home), call, str(ROUNDS), str(AT_MOST)]
    ended = subprocess.run(
        [str(strace), "-f", "--seccomp-bpf", "-qq", "-o", str(log), *watched, *injected, *command],
        cwd=ROOT, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [], ended.stderr
    processes = {line.split()[0] for line in re.findall(r".*INJECTED.*", log.read_text())}
    assert processes, f"no {call} failed"
    tries.add(len(processes))

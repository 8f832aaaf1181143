"""An ingest and every page, without a network and watched (C23): no process opens a connection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.frame.menu_entries import ENTRIES
from sample_data import generate
from tests.support import tries as counts
from tests.support.failpoints import ROOT
from tests.support.programs import require
from tests.support.tries import Tries

PAGES = [entry.file.removesuffix(".py") for entry in ENTRIES if entry.needs is None][:: counts.number(goal=1, usual=6)]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ingest_and_pages_open_no_connection(home: Path, tmp_path: Path, tries: Tries) -> None:
    strace = require("strace", "apt-get install strace")
    alone = [str(require("unshare", "apt-get install util-linux")), "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespace")
    mapping = generate(60, tmp_path / "records", seed=3)
    log = tmp_path / "log"
    watch = [str(strace), "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    ended = subprocess.run(
        [*alone, *watch, sys.executable, "-m", "tests.fault.silent_network", str(mapping), *PAGES],
        cwd=ROOT, env={**os.environ, "BUYERVIEW_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    pages = ended.stdout.split()
    assert pages == PAGES
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line] == []
    tries.add(1 + len(pages))

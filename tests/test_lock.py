"""requirements.lock has a version and a hash for every dependency, and names no index."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()


def test_every_entry_has_one_version_and_a_hash_and_no_address() -> None:
    entries = LOCK[LOCK.index("\n", LOCK.rindex("# ")) + 1 :]
    assert re.fullmatch(r"([a-z0-9-]+==[\w.+!]+ \\\n    --hash=sha256:[0-9a-f]{64}\n)+", entries)
    assert "://" not in LOCK
    names = re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE)
    assert names == sorted(set(names))


def test_every_dependency_is_locked_to_a_version_that_it_allows() -> None:
    """After a change of pyproject.toml, run `.ci/lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name != "buyerview":
            assert name in locked, f"{name} is not locked: run .ci/lock"
            assert requirement.specifier.contains(locked[name], prereleases=True), f"{name}: run .ci/lock"

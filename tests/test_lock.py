"""The lock files have a version and a hash for every dependency, and name no index."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = [(ROOT / name).read_text() for name in ("requirements.lock", "requirements-cluster.lock")]


def test_every_entry_has_one_version_and_a_hash_and_no_address() -> None:
    for lock in LOCKS:
        entries = lock[lock.index("\n", lock.rindex("# ")) + 1 :]
        assert re.fullmatch(r"([a-z0-9-]+==[\w.+!]+ \\\n    --hash=sha256:[0-9a-f]{64}\n)+", entries)
        assert "://" not in lock
        names = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
        assert names == sorted(set(names))


def test_every_dependency_is_locked_to_a_version_that_it_allows() -> None:
    """After a change of pyproject.toml, run `.ci/lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: extra for name, extra in project["optional-dependencies"].items() if name != "spark"}
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]  # cluster replaces spark
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", "".join(LOCKS), re.MULTILINE))
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name != "buyerview":
            assert name in locked, f"{name} is not locked: run .ci/lock"
            assert requirement.specifier.contains(locked[name], prereleases=True), f"{name}: run .ci/lock"

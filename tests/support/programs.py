"""External programs for tests: the browser and PostgreSQL.

Without a program, its tests are skipped with an instruction. In CI (CI=true) they fail, so that no test is skipped by
mistake.
"""

import os
import shutil
from pathlib import Path

import pytest


def require(program: str | Path, how: str) -> Path:
    """Return the path of a program, by name or path.

    Without the program, skip the test and show `how` to install it. With CI=true, fail.
    """
    found = shutil.which(program)
    if found is not None:
        return Path(found)
    message = f"{program} is not installed. Get it with: {how}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)

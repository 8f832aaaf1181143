"""Programs from outside Python that tests need: the browser, PostgreSQL. A test without one skips and says how to get
it.

In CI (CI=true in the environment) it fails instead, so that nothing is left untested there by oversight.
"""

import os
import shutil
from pathlib import Path

import pytest


def require(program: str | Path, how: str) -> Path:
    """The path of a program, by name or by path. Without it: skip, saying `how` to get it; with CI=true in the
    environment, fail.
    """
    found = shutil.which(program)
    if found is not None:
        return Path(found)
    message = f"{program} is not installed. Get it with: {how}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)

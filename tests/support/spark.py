"""A Spark cluster with two workers for tests of the long run."""

import importlib.util
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import cluster
from benchmarks.cluster import Cluster
from tests.support.programs import require

TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Start a cluster on a free port and stop it at the end. Clients take its token from the environment.

    Without Java or PySpark, skip the test; with CI=true, fail.
    """
    require("java", "apt-get install openjdk-17-jre-headless")
    if importlib.util.find_spec("py4j") is None and os.environ.get("CI", "").lower() != "true":
        pytest.skip('PySpark is not installed. Get it with: pip install -e ".[cluster]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN, secrets.token_hex())
        try:
            yield cluster.start(folder, port=cluster.free_port())
        finally:
            cluster.stop(folder)

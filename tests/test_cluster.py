"""The cluster script: a Spark cluster on this machine that nobody else can reach."""

import os
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import create_engine, literal, select
from sqlalchemy.exc import DBAPIError

from benchmarks import cluster
from benchmarks.cluster import Cluster, ClusterError
from tests.support import spark


def test_every_error_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"python -m benchmarks\.cluster start"):
        cluster.opened(tmp_path)
    cluster.stop(tmp_path)  # without a cluster there is nothing to stop
    monkeypatch.setattr(cluster, "_spark_home", lambda: tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ClusterError, match=r'pip install "buyerview\[cluster\]"'):
        cluster.start(tmp_path)
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="apt-get install openjdk-17-jre-headless"):
        cluster.start(tmp_path)


@pytest.mark.long
@pytest.mark.spark
def test_every_process_listens_on_loopback_only(spark_cluster: Cluster) -> None:
    assert cluster.running(spark_cluster.folder) == dict.fromkeys(("master", "worker-1", "worker-2", "connect"), True)
    addresses = {address for pid in spark_cluster.processes.values() for address in listening(pid)}
    assert addresses == {"0000000000000000FFFF00000100007F"}  # 127.0.0.1 in the kernel's notation for IPv6


@pytest.mark.long
@pytest.mark.spark
def test_the_password_of_the_url_is_the_token(
    spark_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("metrics.warehouse.spark_dialect", reason="PySpark is not installed")
    address, token = spark_cluster.url.replace("//", "//any:{}@"), os.environ[spark.TOKEN]
    monkeypatch.delenv(spark.TOKEN)
    for password, refused in ((token, None), ("other", "UNAUTHENTICATED")):
        engine = create_engine(address.format(password), connect_args={"folder": str(tmp_path)})
        with pytest.raises(DBAPIError, match=refused) if refused else nullcontext(), engine.connect() as connection:
            assert connection.execute(select(literal(1))).scalar_one() == 1
        engine.dispose()


def listening(pid: int) -> set[str]:
    """Return the addresses on which a process listens, as the kernel writes them."""
    links = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()]
    sockets = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}


@pytest.mark.long
@pytest.mark.spark
def test_a_server_that_does_not_respond_is_named_in_plain_words(tmp_path: Path) -> None:
    session = pytest.importorskip("metrics.warehouse.spark_session", reason="PySpark is not installed")
    with pytest.raises(session.Error, match=r"^the Spark Connect"):
        session.Session("sc://127.0.0.1:1", str(tmp_path))

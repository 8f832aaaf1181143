"""Start an Apache Spark cluster on this machine: `python -m benchmarks.cluster start`, then `status` and `stop`.

The cluster is a standalone master, workers with one executor each, and a Spark Connect server. Every process listens on
127.0.0.1 only; the master's REST interface is off. If SPARK_CONNECT_AUTHENTICATE_TOKEN is set, clients must send this
token. Process numbers, logs and scratch files are in the folder of the cluster. Needs Java 17 or newer and
`pip install "buyerview[cluster]"`. Linux only.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"
CONNECT_PORT = 15002
SECONDS_TO_START, SECONDS_TO_STOP = 120.0, 20.0
SERIAL, QUICK = "-XX:+UseSerialGC", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Options of Java. An executor has one core. The optimizing compiler takes half of the processor time of short jobs."""
SHORT_JOBS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}
"""Settings for jobs of seconds: Spark would compile code for them, and plan them again after each step."""
STATE = "cluster.json"
DEFAULT_FOLDER = Path(tempfile.gettempdir()) / f"buyerview-cluster-{os.getuid()}"
MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this Python process started."""


class ClusterError(Exception):
    """The cluster cannot be started or does not run. The message says what to do."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its folder, its ports and the process of each part, for example "worker-1"."""

    folder: Path
    port: int
    master_port: int
    workers: int
    memory: str
    short_jobs: bool
    processes: dict[str, int]

    @property
    def url(self) -> str:
        """Return the value of BUYERVIEW_WAREHOUSE. Only to this name, PySpark sends a token without TLS."""
        return f"spark://localhost:{self.port}"


def start(
    folder: Path, *, workers: int = 2, memory: str = "1g", port: int = CONNECT_PORT, short_jobs: bool = True
) -> Cluster:
    """Start a cluster and wait until it accepts statements.

    memory: heap of each executor and of the Connect server. short_jobs: save processor time for thousands of orders,
    and lose some for millions. Raises ClusterError if Java or PySpark is missing, the port is taken, or a process ends.
    """
    _refuse_missing_programs()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(running(folder).values()):
        raise ClusterError(f"A cluster is running in {folder}. Stop it first: python -m benchmarks.cluster stop")
    if _listens(port):
        raise ClusterError(f"Port {port} is taken. Choose another: python -m benchmarks.cluster start --port PORT")
    cluster = Cluster(folder, port, free_port(), workers, memory, short_jobs, {})
    try:
        start_part(cluster, "master")
        _wait_for_port(cluster, "master", cluster.master_port)
        for number in range(1, workers + 1):
            start_part(cluster, f"worker-{number}")
        start_part(cluster, "connect")
        _wait_for_port(cluster, "connect", port)
    except BaseException:
        stop(folder)
        raise
    return cluster


def start_part(cluster: Cluster, name: str) -> None:
    """Start one process: "master", "worker-1" ... or "connect". Also starts a killed one again."""
    with (cluster.folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            _command(cluster, name),
            env=_environment(cluster, name),
            cwd=cluster.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    cluster.processes[name] = process.pid
    state = {name: value for name, value in asdict(cluster).items() if name != "folder"}
    temporary = cluster.folder / f"{STATE}.tmp"
    temporary.write_text(json.dumps(state, indent=1), encoding="utf-8")
    temporary.replace(cluster.folder / STATE)


def restart_connect(cluster: Cluster) -> None:
    """Start the Connect server again after it was killed, and wait for it."""
    end = time.monotonic() + SECONDS_TO_STOP
    while _listens(cluster.port) and time.monotonic() < end:  # the kernel closes the ports of a killed process late
        time.sleep(0.1)
    start_part(cluster, "connect")
    _wait_for_port(cluster, "connect", cluster.port)


def stop(folder: Path) -> None:
    """Stop every process of the folder's cluster: by SIGTERM, and after 20 seconds by SIGKILL."""
    end = time.monotonic() + SECONDS_TO_STOP
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _processes(folder).values():
            if is_spark(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, number)
        while any(running(folder).values()) and time.monotonic() < end:
            time.sleep(0.1)
    for child in _children.values():
        child.poll()  # takes the exit status of an ended process, so that the kernel forgets it
    (folder / STATE).unlink(missing_ok=True)
    for scratch in ("work", "local"):
        shutil.rmtree(folder / scratch, ignore_errors=True)


def running(folder: Path) -> dict[str, bool]:
    """Return for each process of the folder's cluster if it is alive."""
    return {name: is_spark(pid) for name, pid in _processes(folder).items()}


def opened(folder: Path) -> Cluster:
    """Return the cluster of a folder. Raises ClusterError if none was started there."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ClusterError(f"No cluster runs in {folder}. Start one: python -m benchmarks.cluster start") from None
    return Cluster(folder, **state)


def executors(cluster: Cluster) -> list[int]:
    """Return the process numbers of the executors: the children of the workers."""
    parents = {pid for name, pid in cluster.processes.items() if name.startswith("worker-")}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) in parents:
                found.append(int(folder.name))
    return [pid for pid in found if is_spark(pid)]


def is_spark(pid: int) -> bool:
    """Return if the process is alive and runs a part of Spark. A number can belong to another program later."""
    try:
        return b"org.apache.spark" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _refuse_missing_programs() -> None:
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise ClusterError("Java is missing. Install Java 17, for example: apt-get install openjdk-17-jre-headless")
    if not (_spark_home() / "bin" / "spark-class").exists():
        raise ClusterError('The servers of Spark are missing. Install them: pip install "buyerview[cluster]"')


def _spark_home() -> Path:
    """Return the folder of PySpark. The package pyspark-client has no servers in it."""
    found = importlib.util.find_spec("pyspark")
    return Path(found.origin).parent if found is not None and found.origin else Path("pyspark")


def _command(cluster: Cluster, name: str) -> list[str]:
    master, programs = f"spark://{HOST}:{cluster.master_port}", _spark_home() / "bin"
    if name == "connect":
        options = [part for key, value in _settings(cluster).items() for part in ("--conf", f"{key}={value}")]
        words = ["--class", CONNECT, "--name", "buyerview", "--master", master, *options, "spark-internal"]
        return [str(programs / "spark-submit"), *words]
    part, words = MASTER, ["--port", str(cluster.master_port)]
    if name != "master":
        part, words = WORKER, ["--cores", "1", "--memory", cluster.memory, master]
    return [str(programs / "spark-class"), part, "--host", HOST, "--webui-port", "0", *words]


def _settings(cluster: Cluster) -> dict[str, str]:
    """Return the settings of the Connect server, which is the driver of the cluster."""
    return {
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": str(cluster.port),
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.driver.memory": cluster.memory,
        "spark.executor.memory": cluster.memory,
        "spark.driver.extraJavaOptions": QUICK if cluster.short_jobs else SERIAL,
        "spark.executor.extraJavaOptions": QUICK if cluster.short_jobs else SERIAL,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(max(2, 2 * cluster.workers)),
        "spark.sql.warehouse.dir": str(cluster.folder / "local" / "tables"),
        "spark.ui.enabled": "false",
        **(SHORT_JOBS if cluster.short_jobs else {}),
    }


def _environment(cluster: Cluster, name: str) -> dict[str, str]:
    """Return the environment of a process. SPARK_LOCAL_IP also binds the web pages of master and workers."""
    return {
        **os.environ,
        "SPARK_HOME": str(_spark_home()),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_HOSTNAME": HOST,
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": cluster.memory if name == "connect" else "256m",
        "SPARK_DAEMON_JAVA_OPTS": "" if name == "connect" else QUICK,
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        "SPARK_WORKER_DIR": str(cluster.folder / "work"),
        "SPARK_LOCAL_DIRS": str(cluster.folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
    }


def _processes(folder: Path) -> dict[str, int]:
    try:
        return opened(folder).processes
    except ClusterError:
        return {}


def _wait_for_port(cluster: Cluster, name: str, port: int) -> None:
    """Wait until a process listens. Raises ClusterError with the end of its log if it ended or takes too long."""
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and _children[cluster.processes[name]].poll() is None:
        if _listens(port):
            return
        time.sleep(0.2)
    log = cluster.folder / f"{name}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["The log is empty."]
    reason = next((line for line in reversed(lines) if "Exception" in line), lines[-1])
    raise ClusterError(f"The {name} of the cluster does not listen on port {port}. See {log}: {reason}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Return the number of a port that no process uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="logs and scratch files of the cluster")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="1g", help="heap of each executor and of the Connect server")
    parser.add_argument("--port", type=int, default=CONNECT_PORT, help="port of the Connect server")
    parser.add_argument("--long-jobs", action="store_true", help="for millions of orders")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    try:
        if chosen.action == "start":
            short = not chosen.long_jobs
            cluster = start(folder, workers=chosen.workers, memory=chosen.memory, port=chosen.port, short_jobs=short)
            print(f"The cluster runs. Use it with: export BUYERVIEW_WAREHOUSE={cluster.url} BUYERVIEW_LAKE=FOLDER")
        elif chosen.action == "stop":
            stop(folder)
        else:
            print(opened(folder).url)
            for name, alive in running(folder).items():
                print(f"{name}: {'running' if alive else 'ended'}")
    except ClusterError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""A separate process that writes or reads the warehouse of its environment.

Run `python -m tests.fault.process ROLE [ARGUMENT]`. The roles are:

    write N    publish N generations; print the number of each
    soak       publish without end, and keep the rows of 100 runs
    hold       begin a build, print "held", wait for a line (or the end) of standard input, publish
    outgrow N  write more than N bytes into a build where no file may grow beyond N bytes
    die N      publish in a child that is killed at a random time, N times; then print the number of kills
    read N G   read at least N times and at least G different generations; print a JSON summary

The process ends like the command: with the exit code of our error, and its text on standard error.
"""

import json
import os
import random
import resource
import signal
import sys
import time
import warnings

from metrics import warehouse
from metrics.errors import BuyerviewError, GenerationGone
from metrics.warehouse import Location, current, locate, reading, writing
from tests.fault import paired_tables

LONGEST_LIFE = 1.0
"""Seconds after which a writer is killed at the latest."""


def hold(location: Location) -> None:
    """Hold the writer's lock until standard input gives a line or ends."""
    with writing(location) as build:
        paired_tables.add(build)
        print("held", flush=True)
        sys.stdin.readline()
        build.publish()


def die(location: Location, times: int) -> int:
    """Publish in a child process and kill it at a random time, again and again. Return the number of kills."""
    kills = 0
    for _ in range(times):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about idle threads of libraries
            child = os.fork()
        if not child:
            while True:
                paired_tables.publish(location)
        time.sleep(random.uniform(0, LONGEST_LIFE))
        os.kill(child, signal.SIGKILL)
        kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return kills


def outgrow(location: Location, limit: int) -> None:
    """Write more than the files may hold."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails like one to a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with writing(location) as build:
        build.connection.exec_driver_sql("create table ballast as select hash(range) as noise from range(1000000)")
        build.publish()


def read(location: Location, least_reads: int, least_generations: int) -> dict[str, int]:
    """Read and check the tables repeatedly, and return a summary.

    Every twentieth read opens the files again. Every third read asks for the generation that `current` returns.
    """
    reads = newest = runs = generations = 0
    while reads < least_reads or generations < least_generations:
        if reads % 20 == 0:
            warehouse.close(location)
        number = None
        if reads % 3 == 0 and location.folder is not None:
            generation = current(location)
            assert generation is not None
            number = generation.number
        try:
            with reading(location, number) as connection:
                assert connection.info["fallback"] is None
                assert connection.info["generation"] >= newest, (
                    f"went back from {newest} to {connection.info['generation']}"
                )
                generations += connection.info["generation"] > newest
                newest = connection.info["generation"]
                seen = paired_tables.runs_seen(connection)
                assert seen >= runs, f"went back from {runs} runs to {seen}"
                runs = seen
        except GenerationGone:  # a slow machine may let four publishes pass between `current` and `reading`
            assert number is not None
            continue
        reads += 1
        time.sleep(0.001)
    warehouse.close(location)
    return {"reads": reads, "generations": generations, "newest": newest}


def main(role: str, *arguments: str) -> None:
    """Play one role."""
    # A shell starts background jobs with SIGINT ignored, and children inherit that. Python then installs no handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    location = locate()
    started = time.monotonic()
    try:
        if role == "write":
            for _ in range(int(arguments[0])):
                print(paired_tables.publish(location), flush=True)
        elif role == "hold":
            hold(location)
        elif role == "soak":
            while True:
                paired_tables.publish(location, kept=100)
        elif role == "die":
            print(die(location, int(arguments[0])))
        elif role == "outgrow":
            outgrow(location, int(arguments[0]))
        elif role == "read":
            print(json.dumps(read(location, int(arguments[0]), int(arguments[1]))))
    except BuyerviewError as error:
        print(f"{error} (after {time.monotonic() - started:.3f} s)", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Readers while generations are published, interrupted, collected and damaged. They never see half a publish or a wrong
answer.
"""

import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from metrics import warehouse
from metrics.errors import GenerationDamaged, SettingRefused, WarehouseBusy, WarehouseError
from metrics.warehouse import Location, current, duckdb_writer, reading, writing
from tests.fault import paired_tables
from tests.fault.conftest import Start
from tests.support import tries as counts
from tests.support.tries import Tries

READS = counts.number(goal=5_000, usual=500)
"""Reads by each of two readers of a folder. A server gets fewer, because the server itself keeps this promise."""
GENERATIONS = counts.number(goal=200, usual=10)
"""Different generations that each reader must see."""
KILLS = counts.number(goal=1_000, usual=6)
"""Writers killed at a random time while the readers read."""
FLIPS = counts.number(goal=500, usual=40)
"""Bits flipped, each in a copy of its own."""


def runs(location: Location) -> int:
    with reading(location) as connection:
        return paired_tables.runs_seen(connection)


def newest_file(location: Location) -> Path:
    generation = current(location)
    assert generation is not None
    assert generation.file is not None
    return generation.file


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_readers_see_no_partial_publish_while_writers_publish_and_are_killed(
    any_location: Location, start: Start, tries: Tries
) -> None:
    """Two readers, and writers that are killed at a random time. `paired_tables.runs_seen` checks each read."""
    paired_tables.publish(any_location)
    share = 1 if any_location.folder else 3
    reads, generations, kills = READS // share, GENERATIONS // share, KILLS // share
    readers = [start("read", str(reads), str(generations)) for _ in range(2)]
    killed, stderr = start("die", str(kills)).communicate()
    assert killed.strip() == str(kills), stderr
    writer = start("write", "100000")
    for reader in readers:
        out, stderr = reader.communicate()
        assert reader.returncode == 0, stderr
        summary = json.loads(out)
        assert summary["reads"] >= reads
        assert summary["generations"] >= generations
        tries.add(summary["reads"], fault="A18")
    assert writer.poll() is None
    writer.kill()
    writer.communicate()
    paired_tables.publish(any_location)
    assert not any_location.folder or not list(any_location.folder.glob("build-*"))
    tries.add(kills, fault="A2")


def test_only_one_concurrent_writer_runs_and_the_others_fail_immediately(any_location: Location, start: Start) -> None:
    holder = start("hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    others = [start("write", "1") for _ in range(2)]
    for other in others:
        _, stderr = other.communicate(timeout=30)
        assert other.returncode == 75
        assert "another run is writing" in stderr
        assert float(stderr.rpartition("after ")[2].split()[0]) < 5  # a second on an idle machine
        assert holder.poll() is None
    holder.communicate("go on\n", timeout=30)
    assert holder.returncode == 0
    paired_tables.publish(any_location)
    assert runs(any_location) == 2


def test_writer_starts_immediately_after_the_previous_writer_was_killed(any_location: Location, start: Start) -> None:
    holder = start("hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WarehouseBusy), writing(any_location):
        pass
    holder.kill()
    holder.wait()
    paired_tables.publish(any_location)
    assert runs(any_location) == 1


def test_build_file_is_locked_while_its_writer_runs(location: Location, start: Start) -> None:
    holder = start("hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert location.folder is not None
    (build,) = location.folder.glob("build-*.duckdb")
    with pytest.raises(duckdb.IOException, match="lock"):
        duckdb.connect(str(build))


@pytest.mark.long
def test_open_reader_keeps_its_data_during_ten_publishes(any_location: Location) -> None:
    paired_tables.publish(any_location)
    with reading(any_location) as connection:
        for _ in range(10):
            paired_tables.publish(any_location)
        assert paired_tables.runs_seen(connection) == 1
    assert runs(any_location) == 11


def test_generation_with_a_stray_wal_file_is_skipped_for_the_previous_generation(location: Location) -> None:
    before, number = paired_tables.publish(location), paired_tables.publish(location)
    file = newest_file(location)
    warehouse.close(location)
    file.with_name(file.name + ".wal").write_bytes(b"a stranger's log")

    generation = current(location)
    assert generation is not None
    assert generation.number == before
    assert (
        generation.fallback
        == f"generation {number} cannot be read: {file.name} has a .wal file next to it, but published generations "
        "have none"
    )
    with reading(location) as connection:
        assert connection.info["generation"] == before
        assert connection.info["fallback"] == generation.fallback
        assert paired_tables.runs_seen(connection) == 1
    with pytest.raises(GenerationDamaged, match=r"\.wal"), reading(location, number):
        pass

    paired_tables.publish(location)
    assert runs(location) == 3, "the file itself is whole: nothing is lost"
    generation = current(location)
    assert generation is not None
    assert generation.fallback is None


@pytest.mark.long
@pytest.mark.parametrize("damage", ["cut", "emptied", "deleted", "overwritten"])
def test_damaged_generation_is_skipped_and_the_next_run_starts_from_the_previous_one(
    damage: str, location: Location
) -> None:
    for _ in range(2):
        paired_tables.publish(location)
    file = newest_file(location)
    warehouse.close(location)
    content = file.read_bytes()
    if damage == "deleted":
        file.unlink()
    else:
        file.write_bytes({"cut": content[:-4096], "emptied": b"", "overwritten": b"\0" * len(content)}[damage])

    with reading(location) as connection:
        assert file.name in connection.info["fallback"]
        assert paired_tables.runs_seen(connection) == 1
    with writing(location) as build:
        assert build.base is not None
        assert build.base.fallback is not None
        assert file.name in build.base.fallback
        paired_tables.add(build)
        build.publish()
    with reading(location) as connection:
        assert connection.info["fallback"] is None
        assert paired_tables.runs_seen(connection) == 2


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_flipped_bit_never_gives_a_wrong_answer_and_may_cause_a_fallback(
    location: Location, tmp_path: Path, tries: Tries
) -> None:
    """Flip random bits, each in its own copy. If a query finds the damage, the read ends and the next read gets the
    older generation.
    """
    for _ in range(2):
        paired_tables.publish(location)
    newest = newest_file(location).name
    assert location.folder is not None
    dice = random.Random()
    fallbacks = 0
    for case in range(FLIPS):
        tries.add()
        copy = Location(folder=Path(shutil.copytree(location.folder, tmp_path / f"flipped-{case}")))
        assert copy.folder is not None
        content = bytearray((copy.folder / newest).read_bytes())
        bit = dice.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        (copy.folder / newest).write_bytes(content)
        for _ in range(2):
            try:
                with reading(copy) as connection:
                    seen = paired_tables.runs_seen(connection)
                    fallback = connection.info["fallback"]
                assert seen == (1 if fallback else 2), f"bit {bit}"
                fallbacks += fallback is not None
                break
            except GenerationDamaged:
                continue
        else:
            pytest.fail(f"bit {bit}: the generation before was not served")
        warehouse.close(copy)
        shutil.rmtree(copy.folder)
    assert fallbacks > 0


def test_error_for_no_readable_generation_suggests_restoring_a_backup(location: Location) -> None:
    paired_tables.publish(location)
    newest_file(location).write_bytes(b"")
    warehouse.close(location)
    with pytest.raises(GenerationDamaged, match="Restore the file from a backup"), reading(location):
        pass
    with pytest.raises(GenerationDamaged, match="Restore the file from a backup"), writing(location):
        pass


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/passwd')",
        "select * from glob('/*')",
        "attach ':memory:' as other",
        "copy debits to 'stolen.csv'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set memory_limit = '900GB'",
        "create table planted (number integer)",
        "select * from location",
    ],
)
def test_reader_can_access_only_its_generation(statement: str, location: Location) -> None:
    paired_tables.publish(location)
    with (
        reading(location) as connection,
        pytest.raises(Exception, match=r"Permission|Cannot|locked|does not exist|disabled"),
    ):
        connection.exec_driver_sql(statement)


@pytest.mark.long
def test_threads_can_read_concurrently_while_generations_are_published(location: Location) -> None:
    paired_tables.publish(location)

    def read_some(_: int) -> int:
        for _ in range(20):
            with reading(location) as connection:
                seen = paired_tables.runs_seen(connection)
        return seen

    with ThreadPoolExecutor(6) as pool:
        futures = pool.map(read_some, range(6))
        for _ in range(4):
            with writing(
                location
            ) as build:  # a reading process normally does not write; here the writes disturb the readers
                paired_tables.add(build)
                build.publish()
        assert all(1 <= seen <= 5 for seen in futures)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_folder_is_refused_for_writing(
    kind: str, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert location.folder is not None
    point = str(location.folder.parent).replace(" ", "\\040")
    mounts = (
        f"22 1 8:1 / / rw - ext4 /dev/sda rw\n36 22 0:42 / {point} rw,relatime shared:7 - {kind} server:/share rw\n"
    )
    monkeypatch.setattr(duckdb_writer, "_mounts", lambda: mounts)
    with pytest.raises(SettingRefused, match=kind), writing(location):
        pass


def test_a_full_disk_is_noticed_before_the_copy(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    paired_tables.publish(location)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10, 10))
    with pytest.raises(WarehouseError, match="Free some space"), writing(location):
        pass
    assert runs(location) == 1

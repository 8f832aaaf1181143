"""The pointer to the newest generation: damaged, missing, or naming a file that is gone."""

import json
import shutil
from pathlib import Path

import pytest

from metrics import warehouse
from metrics.errors import BuildFailed, WarehouseError
from metrics.warehouse import Location, current, duckdb_writer, reading, writing
from metrics.warehouse.pointer import read_pointer
from tests.fault import paired_tables


def history(location: Location, generations: int) -> Path:
    """Publish generations and close them. Returns the folder."""
    for _ in range(generations):
        paired_tables.publish(location)
    warehouse.close(location)
    assert location.folder is not None
    return location.folder


@pytest.mark.long
def test_damaged_or_truncated_pointer_still_gives_the_newest_generation(location: Location) -> None:
    """Trust, T4: each of the bytes of CURRENT flipped in two ways, and CURRENT cut at each length."""
    folder = history(location, 3)
    pointer = folder / "CURRENT"
    whole = pointer.read_bytes()
    damaged = [whole[:size] for size in range(len(whole))]
    for bit in (0x01, 0x80):
        damaged += [whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :] for place in range(len(whole))]
    reported = 0
    for content in damaged:
        pointer.write_bytes(content)
        generation = current(location)
        assert generation is not None, content
        assert generation.number == 3, content
        reported += generation.fallback is not None
    assert reported > len(damaged) * 0.8, "a flipped space or the last line break changes nothing"


@pytest.mark.long
@pytest.mark.parametrize(
    "damage", ["missing", "empty", "{}", "a wrong digit of a hash", "a wrong number", "stale", "a folder"]
)
def test_next_run_repairs_a_damaged_pointer_and_deletes_no_generation(damage: str, location: Location) -> None:
    """Trust, T2 and T4: generations 1 to 4 are published, 2 to 4 are stored, and CURRENT is damaged."""
    folder = history(location, 4)
    pointer = folder / "CURRENT"
    text = pointer.read_text()
    stored = {path.name for path in folder.glob("gen-*")}
    digest = json.loads(text)["sha256"]
    wrong = ("1" if digest[0] == "0" else "0") + digest[1:]
    stale = json.dumps({**json.loads(text), "file": "gen-00000001.duckdb", "number": 1, "older": [], "check": None})
    pointer.unlink()
    if damage == "a folder":
        pointer.mkdir()
    elif damage != "missing":
        texts = {
            "empty": "",
            "a wrong digit of a hash": text.replace(digest, wrong, 1),
            "a wrong number": text.replace('"number": 4', '"number": 7', 1),
            "stale": stale,
        }
        pointer.write_text(texts.get(damage, damage))

    with reading(location) as connection:
        assert connection.info["generation"] == 4
        assert "CURRENT" in connection.info["fallback"]
        assert paired_tables.runs_seen(connection) == 4
    with reading(location, 3) as connection:
        assert paired_tables.runs_seen(connection) == 3
    warehouse.close(location)
    if damage == "a folder":
        with pytest.raises(BuildFailed):
            paired_tables.publish(location)
        pointer.rmdir()
    with writing(location):
        pass  # a run that publishes nothing repairs CURRENT too
    generation = current(location)
    assert generation is not None
    assert (generation.number, generation.fallback) == (4, None)
    pointer.unlink()
    assert paired_tables.publish(location) == 5
    assert stored <= {path.name for path in folder.glob("gen-*")}, "nothing is deleted while CURRENT is unreadable"
    with reading(location) as connection:
        assert connection.info["fallback"] is None
        assert paired_tables.runs_seen(connection) == 5
    paired_tables.publish(location)
    assert len(list(folder.glob("gen-*"))) == duckdb_writer.STORED_GENERATIONS, "the next run collects again"


def test_newest_fully_readable_generation_is_used_without_a_pointer(location: Location) -> None:
    folder = history(location, 3)
    (folder / "CURRENT").unlink()
    newest = folder / "gen-00000003.duckdb"
    content = newest.read_bytes()
    newest.write_bytes(content[:12_288] + bytes(len(content) - 12_288))  # the headers are whole, the blocks are not
    with reading(location) as connection:
        assert connection.info["generation"] == 2
    warehouse.close(location)
    for path in folder.glob("gen-*"):
        path.write_bytes(b"")
    for refused in (reading, writing):
        with pytest.raises(WarehouseError, match=r"CURRENT is missing.*Restore the folder"), refused(location):
            pass


def test_missing_pointer_does_not_expose_the_file_of_a_killed_run(location: Location) -> None:
    folder = history(location, 2)
    shutil.copyfile(folder / "gen-00000002.duckdb", folder / "gen-00000003.duckdb")
    (folder / "CURRENT").unlink()
    with reading(location) as connection:
        assert connection.info["generation"] == 2


def test_reader_reloads_the_pointer_if_its_generation_was_deleted_meanwhile(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    paired_tables.publish(location)
    assert location.folder is not None
    stale = read_pointer(location.folder)
    for _ in range(duckdb_writer.STORED_GENERATIONS):
        paired_tables.publish(location)
    answers = [stale]
    monkeypatch.setattr(
        "metrics.warehouse.duckdb_reader.read_pointer",
        lambda folder: answers.pop() if answers else read_pointer(folder),
    )
    with reading(location) as connection:
        assert paired_tables.runs_seen(connection) == duckdb_writer.STORED_GENERATIONS + 1
        assert connection.info["fallback"] is None

"""Files that are still being written, links, and matches that are no files: named, and never dropped silently."""

import os
import threading
import time
from pathlib import Path

import pytest

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read import complete_files
from ingest.read.complete_files import only_complete
from ingest.read.find_files import find_files
from metrics.errors import SettingRefused


def names(folder: Path, origin: Origin) -> list[str]:
    """Return the names of the complete files of an origin."""
    (paths,) = only_complete(folder, [("orders", origin, find_files(folder, origin, "orders"))]).values()
    return [path.name for path in paths]


def write(path: Path, *, age: float = 0.0) -> Path:
    path.write_text("no\n1\n")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_growing_file_is_skipped_until_a_later_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Trust, T12: the run waits once for `settle` seconds. The file that changed meanwhile is not read."""
    write(tmp_path / "orders-1.csv", age=60)
    growing = write(tmp_path / "orders-2.csv")
    write(tmp_path / "orders-3.csv")
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(0.02):
            with growing.open("a") as file:
                file.write("2\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert names(tmp_path, Origin(read=("orders-*.csv",), settle=0.3)) == ["orders-1.csv", "orders-3.csv"]
        assert "orders-2.csv: it is still being written; a later run reads it" in caplog.text
        with pytest.raises(SourceRefused, match="still being written, and there is no other file"):
            names(tmp_path, Origin(read=("orders-2*.csv",), settle=0.3))
    finally:
        stop.set()
        writer.join()
    assert names(tmp_path, Origin(read=("orders-2*.csv",), settle=0.3)) == ["orders-2.csv"]


def test_run_waits_only_for_recently_changed_files_matched_by_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.delenv(complete_files.SETTING, raising=False)
    young, old = write(tmp_path / "a.csv", age=2), write(tmp_path / "b.csv", age=60)
    names(tmp_path, Origin(read=("a.csv",)))
    names(tmp_path, Origin(read=("b*.csv",)))
    assert waits == []
    names(tmp_path, Origin(read=("*.csv",)))
    assert waits == [pytest.approx(3, abs=0.5)], "5 seconds by default, of which 2 have passed"
    os.utime(old, (time.time() + 3600,) * 2)
    young.unlink()
    names(tmp_path, Origin(read=("*.csv",)))
    assert waits[1] == 5, "a time in the future says nothing"
    monkeypatch.setenv(complete_files.SETTING, "soon")
    with pytest.raises(SettingRefused, match="soon"):
        names(tmp_path, Origin(read=("*.csv",)))


def test_a_marker_shows_which_files_are_complete(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`done`: a marker of the same name with or without the ending, not older than the file."""
    for name in ("a", "b", "c", "d"):
        write(tmp_path / f"{name}.csv", age=10)
    write(tmp_path / "a.ok")
    write(tmp_path / "b.csv.ok")
    write(tmp_path / "c.ok", age=3600)
    assert names(tmp_path, Origin(read=("*.csv",), done="*.ok")) == ["a.csv", "b.csv"]
    assert "c.csv: it has no marker *.ok" in caplog.text
    assert "d.csv: it has no marker *.ok" in caplog.text
    with pytest.raises(SourceRefused, match="no marker"):
        names(tmp_path, Origin(read=("d.csv",), done="*.ok"))


def test_links_outside_the_folder_and_matches_that_are_not_files_are_reported(tmp_path: Path) -> None:
    """Trust, T17: such a match was dropped, and the run went on without it."""
    folder, outside = tmp_path / "data", tmp_path / "outside"
    for one in (folder, outside, folder / "real"):
        one.mkdir()
    write(outside / "secret.csv")
    write(folder / "real" / "x.csv")
    (folder / "linked.csv").symlink_to(outside / "secret.csv")
    (folder / "gone.csv").symlink_to(folder / "nothing.csv")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    (folder / "inside.csv").symlink_to(folder / "real" / "x.csv")
    assert [path.name for path in find_files(folder, Origin(read=("inside.csv", "real/*.csv")), "orders")] == ["x.csv"]
    for pattern, why in (
        ("linked.csv", "leads out of the data folder"),
        ("l*.csv", "leads out of the data folder|to itself"),
        ("gone.csv", "link to nothing"),
        ("loop.csv", "to itself"),
        ("folder.csv", "a folder, a pipe or a device"),
        ("pipe.csv", "a folder, a pipe or a device"),
        ("none*.csv", "finds no such file"),
        ("a**.csv", r"no pattern|\*\*"),
    ):
        with pytest.raises(SourceRefused, match=why):
            find_files(folder, Origin(read=(pattern,)), "orders")
    (folder / "archive").symlink_to(outside)
    with pytest.raises(SourceRefused, match=r"archive: it is a link .* does not follow it"):
        find_files(folder, Origin(read=("**/x.csv",)), "orders")
    with pytest.raises(SourceRefused, match="does not exist"):
        find_files(tmp_path / "nowhere", Origin(read=("x.csv",)), "orders")


def test_file_name_that_is_not_valid_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.csv")).write_text("no\n1\n")
    with pytest.raises(SourceRefused, match="not valid UTF-8"):
        find_files(tmp_path, Origin(read=("*.csv",)), "orders")

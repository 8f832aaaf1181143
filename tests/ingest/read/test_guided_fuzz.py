"""Fuzz of the mapping and the reader, guided by coverage (B43): an input that reaches a new line is changed further.

Nothing but our own refusal may come out. SEED=n draws other inputs, FAULT_TRIES=full many more.
"""

import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ingest.errors import MappingRefused, SourceRefused
from ingest.mapping.mapping_file import load_mapping
from tests.ingest.mapping.test_unusable_mappings import GOOD
from tests.ingest.read.reading import reader
from tests.ingest.read.test_layouts import COLUMNS, HEADER, ROWS
from tests.support import tries as counts
from tests.support.tries import Tries

ROUNDS = counts.number(goal=20_000, usual=400)
INGEST = str(Path(__file__).parents[3] / "ingest")
WORDS = [
    b"\n", b"\r\n", b",", b";", b'"', b'""', b"'", b"\\", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"[", b"]", b"{", b"}",
    b"=", b"*", b"**", b"..", b"/", b"-1", b"1e400", b"nan", b"true", b"2026-02-30", b"9" * 20,
    b"%d", b":cursor", b"from",
    b"sql", b"[source]", b"encoding", b"utf-16", b"Total", "ä€\u202e".encode(), b"\xed\xa0\x80",
]  # fmt: skip
"""Pieces that the code under test looks for."""


def lines_of(call: Callable[[], object]) -> set[tuple[str, int]]:
    """Run a function and return the lines of `ingest` that it reached. It may refuse its input."""
    reached: set[tuple[str, int]] = set()

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def enter(frame: FrameType, _event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(INGEST) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    except (MappingRefused, SourceRefused):
        pass
    finally:
        sys.settrace(before)
    return reached


def changed(dice: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """Return the content with one to four changes: a piece deleted, repeated, replaced, or taken from another input."""
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(content) + 1)
        end = min(len(content), start + dice.choice((0, 1, 1, 4, 30)))
        other = dice.choice(corpus)
        at = dice.randrange(len(other) + 1)
        piece = dice.choice([b"", dice.choice(WORDS), dice.choice(WORDS), dice.randbytes(2), other[at : at + 40]])
        content = content[:start] + piece + content[end:]
    return content


def fuzz(first: bytes, try_one: Callable[[bytes], object], tries: Tries) -> list[bytes]:
    """Change inputs and keep each that reaches a new line. Return the inputs kept."""
    dice = random.Random(int(os.environ.get("SEED", "3")))
    corpus, reached = [first], lines_of(lambda: try_one(first))
    for _ in range(ROUNDS):
        tries.add()
        content = changed(dice, dice.choice(corpus), corpus)
        try:
            found = lines_of(lambda content=content: try_one(content))
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for {content!r}") from error
        if not found <= reached:
            corpus.append(content)
            reached |= found
    return corpus


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_guided_fuzz_of_mappings_ends_in_a_mapping_or_a_refusal(tmp_path: Path, tries: Tries) -> None:
    path = tmp_path / "m.toml"

    def try_one(content: bytes) -> None:
        path.write_bytes(content)
        load_mapping(path)

    assert len(fuzz(GOOD.encode(), try_one, tries)) > 3


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_guided_fuzz_of_files_ends_in_rows_or_a_refusal(tmp_path: Path, tries: Tries) -> None:
    (tmp_path / "scratch").mkdir()
    with reader(tmp_path / "scratch") as read:

        def try_one(content: bytes) -> None:
            (tmp_path / "f.csv").write_bytes(content)
            read.read(tmp_path, "shipments", {"read": "f.csv", "columns": COLUMNS})

        assert len(fuzz((HEADER + ROWS).encode(), try_one, tries)) > 3

"""No mapping file, whatever it contains, ends in a traceback: it loads, or it is refused with its problems."""

import contextlib
import os
import random
import string
from collections import Counter
from pathlib import Path

import pytest

from ingest.errors import MappingRefused
from ingest.mapping.database_address import connection_url
from ingest.mapping.mapping_file import load_mapping
from tests.support.tries import Tries

GOOD = """[source]
name = "test"
time_zone = "Europe/Berlin"
data_as_of = "2026-06-30"
[orders]
read = "orders.csv"
encoding = "utf-8"
delimiter = ";"
columns = { order_id = "no", customer_id = "c", ordered_at = { from = "d", format = "%d.%m.%Y" } }
[order_lines]
read = ["lines*.csv", "more/**/lines.csv"]
done = "*.ok"
columns = { order_id = "no", line_no = "pos", product_id = "p", ordered_qty = { from = "q", decimal = "," } }
[shipments]
connection = "env:ERP"
query = "select * from s where v > :cursor"
cursor = "v"
cursor_start = 0
columns = { shipment_id = "s", shipped_at = "d", received_at = { sql = "a || b" } }
[shipment_lines]
read = "sl.xlsx"
sheet = "One"
settle = 3
columns = { shipment_id = "s", shipment_line_no = "i", order_id = "no", line_no = "pos", shipped_qty = "q" }
"""


def refused(path: Path) -> str:
    with pytest.raises(MappingRefused) as caught:
        load_mapping(path)
    return str(caught.value)


def test_valid_base_mapping_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(GOOD)
    assert load_mapping(tmp_path / "m.toml").feeds["order_lines"].done == "*.ok"


def test_mapping_path_that_is_not_a_readable_file_is_refused(tmp_path: Path) -> None:
    """Trust, T15: a folder, a link to itself, a name inside a file, and nothing."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_text("")
    texts = {"folder": "is a folder", "loop": "cannot be read", "file/x": "cannot be read", "no": "not found"}
    for name, why in texts.items():
        assert why in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"Europe/Berlin"', '"Europe"', "not an IANA time zone"),
        ('"Europe/Berlin"', '"../../etc/passwd"', "not an IANA time zone"),
        ('"Europe/Berlin"', '""', "not an IANA time zone"),
        ('"2026-06-30"', '"0001-01-01T00:00"', "data_as_of"),
        ('"orders.csv"', '"**.csv"', r"** stands alone"),
        ('"orders.csv"', '"a**/x.csv"', r"** stands alone"),
        ('"utf-8"', '"hex"', "no encoding of text"),
        ('"utf-8"', '"undefined"', "no encoding of text"),
        ('";"', '"\\n"', "different signs"),
        ('";"', '"\\""', "different signs"),
        ('"test"', '"te\\u0000st"', "NUL"),
        ('"*.ok"', '"../*.ok"', "marker"),
        ("settle = 3", "settle = nan", "settle"),
        ("cursor_start = 0", "cursor_start = " + "9" * 5000, "not valid TOML"),
        ("[source]", "staged = 3\n[source]", "staged"),
        ("[source]", "deep = " + "[" * 3000 + "]" * 3000 + "\n[source]", "nested too deeply"),
        ("[source]", ".".join(["a"] * 3000) + " = 1\n[source]", "a"),
    ],
)
def test_unusable_mapping_value_is_refused(old: str, new: str, why: str, tmp_path: Path) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    (tmp_path / "m.toml").write_text(text)
    assert why in refused(tmp_path / "m.toml")


def test_random_damage_to_a_mapping_never_ends_in_a_traceback(tmp_path: Path, tries: Tries) -> None:
    """Trust, T15: signs, lines and values changed. HISTORIES=n draws n mappings, SEED=n others."""
    dice = random.Random(int(os.environ.get("SEED", "7")))
    values = [
        "3",
        "[]",
        "{}",
        '""',
        "true",
        "1e400",
        "nan",
        "1979-05-27T07:32:00Z",
        "07:32:00",
        '"\\u0001"',
        '"**"',
        "[[1]]",
    ]
    outcomes: Counter[str] = Counter()
    for _ in range(int(os.environ.get("HISTORIES", "300"))):
        tries.add()
        lines = GOOD.splitlines()
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(lines))
            action = dice.randrange(4)
            if action == 0:
                del lines[at]
            elif action == 1:
                lines.insert(at, dice.choice(lines))
            elif action == 2 and "=" in lines[at]:
                lines[at] = lines[at].partition("=")[0] + "= " + dice.choice(values)
            else:
                place = dice.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + dice.choice(string.printable) + lines[at][place + 1 :]
        (tmp_path / "m.toml").write_bytes("\n".join(lines).encode())
        with contextlib.suppress(MappingRefused):
            outcomes["tried"] += 1
            load_mapping(tmp_path / "m.toml")
            outcomes["loaded"] += 1
    assert 0 < outcomes["loaded"] < outcomes["tried"]


@pytest.mark.parametrize("url", ["", "no address", "//u:secret@h/d", "postgresql://u:p@ss@h/d"])
def test_invalid_database_url_is_refused_and_not_repeated_in_the_error(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP", url)
    with pytest.raises(MappingRefused, match="ERP") as caught:
        connection_url("env:ERP", key="orders.connection", file="m.toml")
    assert "secret" not in str(caught.value)
    assert "p@ss" not in str(caught.value)

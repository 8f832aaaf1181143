"""Draw CSV files in many dialects, whole and damaged."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tests.ingest.read.plain_reader import Dialect

NAMES = {
    "shipment_id": "Delivery",
    "carrier": "Carrier",
    "shipped_at": "Left",
    "received_at": "Proof",
    "freight_amount": "Freight",
    "currency": "Cur",
}
FORMATS = (
    None,
    None,
    None,
    "%d.%m.%Y",
    "%-m/%-d/%Y %-I:%M %p",
    "%Y%m%d",
    "%d %b %Y %H:%M",
    "%d/%m/%y",
    "%Y-%m-%d %H:%M:%S %z",
    "%A, %B %-d, %Y",
)
WORDS = ("", "", "DHL", "UPS, Inc.", "a;b", 'the "best"', "Müller & Söhne", "two\nlines", "x\ty", "  padded ", "Total",
         "5|6", "é", "'quoted'", "a,b;c\td", "line\r\nbreak", "0", "=1+1")  # fmt: skip
DAMAGE = ("cut", "cut at a line", "flip", "drop a quote", "stray quote", "stray return", "stray line end",
          "fewer fields", "more fields", "null", "long cell", "wrong encoding", "bad value", "blank line",
          "drop a header", "twice", "stray surrogate", "space before a quote", "mixed line ends",
          "bytes inside")  # fmt: skip

BAD_VALUES = (
    "31.02.2026", "2026-02-30", "1,2,3", "1.5E3", "x", "NaN", "24:00", "12.3456789", "0x1", "7.", "--1", "2026",
)  # fmt: skip


@dataclass
class Drawn:
    """A file, what its mapping declares, and the damage done to it."""

    name: str
    content: bytes
    about: Dialect
    damage: str | None
    records: int


def draw(seed: int) -> Drawn:
    """Draw a file. About half are damaged."""
    dice = random.Random(seed)
    about = Dialect(dict(NAMES))
    about.delimiter = dice.choice((",", ",", ";", "\t", "|"))
    about.quote = dice.choice(('"', '"', '"', "'", ""))
    about.encoding = dice.choice(("utf-8", "utf-8", "utf-8", "cp1252", "utf-16", "utf-16-le", "latin-1"))
    about.zone = dice.choice(("Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata"))
    if dice.random() < 0.3:
        about.decimal = ","
        about.thousands = dice.choice(("", ".", " "))
    elif dice.random() < 0.2:
        about.thousands = ","
    for column in ("shipped_at", "received_at"):
        form = dice.choice(FORMATS)
        if form:
            about.formats[column] = form
    count = dice.choice((0, 1, 2, 3, 5, 8, 13))
    rows = [_record(dice, about, number) for number in range(count)]
    header = [*NAMES.values(), *dice.choice(([], [], ["More"], ["", ""], [" "]))]
    rows = [row + [dice.choice(("", "x"))] * (len(header) - len(row)) for row in rows]
    if dice.random() < 0.3:
        order = dice.sample(range(len(header)), len(header))
        header, rows = [header[at] for at in order], [[row[at] for at in order] for row in rows]
    damage = dice.choice(DAMAGE) if dice.random() < 0.55 else None
    if damage == "bad value" and rows:
        row = dice.choice(rows)
        row[dice.randrange(len(row))] = dice.choice(BAD_VALUES)
    if damage == "drop a header":
        header[dice.randrange(len(header))] = dice.choice(("", "Other", header[0] + "\u200b"))
    if damage == "twice":
        header.append(header[0].upper())
        rows = [[*row, ""] for row in rows]
    if damage == "fewer fields" and rows:
        dice.choice(rows).pop()
    if damage == "more fields" and rows:
        dice.choice(rows).extend(dice.choice((["x"], [""], ["", ""], ["", "y"])))
    if damage == "long cell" and rows:
        row = dice.choice(rows)
        row[dice.randrange(len(row))] = dice.choice(("y" * 70_000, "z" * 65_537, "w" * 65_536))
    text = _written(dice, about, header, rows, damage)
    about.final_newline = dice.random() < 0.8
    if not about.final_newline and dice.random() < 0.5:
        text = text.rstrip("\r\n")
    content = text.encode(about.encoding, "replace")
    if about.encoding == "utf-8" and dice.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    content = _damaged(dice, content, damage, about)
    ending = ".tsv" if about.delimiter == "\t" and dice.random() < 0.3 else dice.choice((".csv", ".CSV", ".txt"))
    if dice.random() < 0.1:
        about.gzipped, ending, content = True, ending + ".gz", gzip.compress(content)
        if damage == "cut":
            content = content[: dice.randrange(len(content))]
    return Drawn("file" + ending, content, about, damage, count)


def _record(dice: random.Random, about: Dialect, number: int) -> list[str]:
    amount = dice.choice(
        (
            "",
            "0",
            "12.5",
            "1234.5",
            "1234567.89",
            "0.0001",
            "-3",
            "3.3000000000000003",
            "0.30000000000000004",
            "10.50000",
        )
    )
    return [
        dice.choice(("S", "00", "Ä", "a b ", "#")) + str(number),
        dice.choice(WORDS),
        _moment(dice, about.formats.get("shipped_at")),
        _moment(dice, about.formats.get("received_at")),
        _localised(amount, about),
        dice.choice(("EUR", "USD", "")),
    ]


def _moment(dice: random.Random, form: str | None) -> str:
    if dice.random() < 0.15:
        return ""
    moment = datetime(2026, 1, 1) + timedelta(minutes=dice.randrange(500_000))
    if dice.random() < 0.3:
        moment = moment.replace(hour=0, minute=0)
    if form is None:
        suffix = dice.choice(("", "", "Z", "+02:00", "-0730"))
        return dice.choice((f"{moment:%Y-%m-%d}", f"{moment:%Y-%m-%dT%H:%M:%S}{suffix}", f"{moment:%Y-%m-%d %H:%M}"))
    text = f"{moment:{form.replace(' %z', '')}}"
    return f"{text} {dice.choice(('+0000', '+0530', '-0800'))}" if "%z" in form else text


def _localised(number: str, about: Dialect) -> str:
    whole, point, decimals = number.partition(".")
    if about.thousands and len(whole) > 3 and Decimal(whole) > 999:
        whole = f"{int(whole):,}".replace(",", about.thousands)
    return whole + (about.decimal + decimals if point else "")


def _written(dice: random.Random, about: Dialect, header: list[str], rows: list[list[str]], damage: str | None) -> str:
    end = dice.choice(("\n", "\n", "\r\n", "\r\n", "\r"))
    everything = dice.random() < 0.3
    lines = [_line(about, row, everything=everything) for row in [header, *rows]]
    if dice.random() < 0.12:
        about.skip_rows = dice.choice((None, None, 2))
        titles = ["Open deliveries", f"Printed{about.delimiter}2026-03-01"]
        lines = titles + lines
        if dice.random() < 0.3 and about.skip_rows is None:
            lines.insert(2, "")
    elif dice.random() < 0.05:
        lines.insert(0, f"sep={about.delimiter}")
    if dice.random() < 0.1:
        total = [""] * len(header)
        total[1 if header[0] == "Delivery" else 0] = dice.choice(("Total", "Grand total: 5", "Summe"))
        lines.append(dice.choice((_line(about, total, everything=False), "Total", f"Total: {len(rows)}")))
    if damage == "blank line":
        lines.insert(dice.randrange(1, len(lines) + 1), "")
    if damage == "mixed line ends":
        return "".join(line + dice.choice(("\n", "\r\n")) for line in lines)
    if damage == "space before a quote" and about.quote:
        lines[-1] = lines[-1].replace(about.delimiter, f"{about.delimiter} {about.quote}", 1)
    return "".join(line + end for line in lines)


def _line(about: Dialect, cells: list[str], *, everything: bool) -> str:
    quote = about.quote
    if not quote:  # without quotes, cells cannot hold delimiters or line breaks
        return about.delimiter.join(
            "".join(" " if sign in f"{about.delimiter}\r\n" else sign for sign in cell) for cell in cells
        )
    return about.delimiter.join(
        quote + cell.replace(quote, quote * 2) + quote
        if everything or any(sign in cell for sign in f"{quote}{about.delimiter}\r\n")
        else cell
        for cell in cells
    )


def _damaged(dice: random.Random, content: bytes, damage: str | None, about: Dialect) -> bytes:
    at = dice.randrange(len(content)) if content else 0
    quote = about.quote.encode() or b'"'
    if damage == "cut":
        return content[:at]
    if damage == "cut at a line":
        return content[: content.rfind(b"\n", 0, at) + 1]
    if damage == "flip":
        return content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
    if damage == "drop a quote" and quote in content:
        place = content.find(quote, at) if quote in content[at:] else content.find(quote)
        return content[:place] + content[place + 1 :]
    inserted = {
        "stray quote": quote,
        "stray return": b"\r",
        "stray line end": dice.choice((b"\r\n", b"\n")),
        "null": b"\x00",
        "bytes inside": dice.choice((b"\xff\xfe", b"\x81", b"\x1a")),
        "stray surrogate": b"\xed\xa0\x80",
    }.get(damage or "")
    if inserted is not None:
        return content[:at] + inserted + content[at:]
    if damage == "wrong encoding":
        about.encoding = dice.choice(("utf-8", "utf-16", "cp1252", "ascii"))
    return content

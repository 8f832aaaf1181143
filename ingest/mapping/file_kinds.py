"""Kinds of source files: which ending is which kind, and how a name without a known ending gets one."""

from typing import Literal

Kind = Literal["csv", "excel", "parquet", "json"]
ENDINGS: dict[Kind, tuple[str, ...]] = {
    "csv": (".csv", ".txt", ".tsv", ".tab"),
    "excel": (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"),
    "parquet": (".parquet", ".pq"),
    "json": (".jsonl", ".ndjson", ".json"),
}
"""Endings of file names, in any case. Text files (csv, json) may also end in .gz."""


def is_gzip(name: str) -> bool:
    """Return True if a file's name says that it is compressed."""
    return name.lower().endswith(".gz")


def kind_of(name: str, declared: Kind | None = None) -> Kind | None:
    """Return the kind of a file. None: its ending is unknown, and the mapping declares no kind."""
    if declared is not None:
        return declared
    plain = name.lower().removesuffix(".gz")
    for kind, endings in ENDINGS.items():
        if plain.endswith(endings) and (kind in ("csv", "json") or not is_gzip(name)):
            return kind
    return None


def default_delimiter(name: str) -> str:
    """Return the delimiter of a text file whose mapping declares none."""
    return "\t" if name.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else ","


def problem(key: str, pattern: str) -> str:
    """Return the message about a pattern with an unknown ending."""
    known = ", ".join(ending for endings in ENDINGS.values() for ending in endings)
    return (
        f"{key}.read: {pattern!r} has no known ending ({known}; text files also .gz); "
        f'rename it, or add kind = "csv", "excel", "parquet" or "json"'
    )

"""Read a mapping file as TOML. Texts that no database accepts are refused here."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import MappingRefused

LARGEST = 10_000_000
"""Bytes of the largest mapping file."""


def read_toml(path: Path, file_name: str) -> dict[str, object]:
    """Return the tables of a mapping file. Raises MappingRefused if it cannot be read or is not TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise MappingRefused(
            file_name, [f"file not found ({path}); give the path of a mapping file (see docs/mapping.md)"]
        ) from None
    except IsADirectoryError:
        raise MappingRefused(file_name, [f"{path} is a folder; give the path of a mapping file in it"]) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MappingRefused(file_name, [f"{path} cannot be read ({why}); give a file that you may read"]) from None
    if len(content) > LARGEST:
        raise MappingRefused(file_name, [f"larger than {LARGEST:,} bytes; give a mapping file (see docs/mapping.md)"])
    try:
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except ValueError as error:  # not UTF-8, not TOML, or a number that Python does not read
        raise MappingRefused(file_name, [f"not valid TOML: {error}; correct that line"]) from None
    unusable = sorted(set(_unusable_texts(raw, "")))
    if unusable:
        raise MappingRefused(file_name, [f"{key}: contains a NUL character; remove it" for key in unusable])
    return raw


def _unusable_texts(value: object, key: str) -> Iterator[str]:
    """Yield the keys of texts with a NUL character, which files and databases do not accept."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _unusable_texts(inside, f"{key}.{name}" if key else name)
            if "\0" in name:
                yield ascii(f"{key}.{name}")
    elif isinstance(value, list):
        for inside in value:
            yield from _unusable_texts(inside, key)
    elif isinstance(value, str) and "\0" in value:
        yield ascii(key)[1:-1]

"""Check the options of source files: patterns, encoding, signs of a CSV, and the done marker."""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import PurePath

NOT_TEXT = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem")
"""Encodings of Python that are not encodings of text files."""


def file_problems(
    key: str, patterns: Iterable[str], encoding: str, signs: tuple[str, str, str], done: str | None
) -> Iterator[str]:
    """Yield a message for each option that cannot be used. signs: delimiter, quote and escape."""
    if not is_text_encoding(encoding):
        yield f'{key}.encoding: {encoding!r} is no encoding of text; write e.g. "utf-8", "cp1252" or "utf-16"'
    delimiter, quote, _ = signs
    if delimiter == quote or {"\n", "\r"} & set(signs):
        yield f"{key}: delimiter, quote and escape must be different signs, and no line breaks"
    if done is not None and (PurePath(done).name != done or done in ("", "*")):
        yield f'{key}.done: write the name of a marker in the folder of the files, for example "*.ok"'
    for pattern in patterns:
        if any("**" in part and part != "**" for part in PurePath(pattern).parts):
            yield f'{key}.read: {pattern!r}: ** stands alone between slashes; write e.g. "**/*.csv"'


def is_text_encoding(encoding: str) -> bool:
    """Return whether Python has a text encoding of that name."""
    try:
        name = codecs.lookup(encoding).name.replace("-", "_")
        return name not in NOT_TEXT and isinstance("".encode(encoding), bytes)
    except (LookupError, ValueError, TypeError):
        return False

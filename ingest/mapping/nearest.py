"""The most similar valid name, for messages about wrong names."""

import difflib
import json
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean "…"?`, or the list of valid words if none is similar."""
    known = list(words)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    valid = (one if one.isprintable() else shown(one) for one in known)
    return f"; did you mean {shown(close[0])}?" if close else f"; valid: {', '.join(valid)}"


def shown(name: str) -> str:
    """Return a name in quotes, as TOML reads it, with invisible characters as escapes."""
    return json.dumps(name, ensure_ascii=not name.isprintable())

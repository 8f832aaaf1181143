"""Letters that show a wrong encoding: in the mapping, or in a step before the file was written.

Not everything shows. The same bytes are letters in cp1252 and in iso-8859-15, for example, so nothing in a file tells
one of them from the other.
"""

import codecs
import re
from collections import Counter
from dataclasses import dataclass

from ingest.mapping.mapping_file import Origin

SECOND = "".join(bytes([one]).decode(name, "ignore") for name in ("latin-1", "cp1252") for one in range(0x80, 0xC0))
"""What the second byte of a letter in UTF-8 becomes in an encoding of western Europe."""
WORD = rf"[\w{re.escape(SECOND)}]{{0,20}}"
PATTERNS = {
    "letters_misread": re.compile(rf"{WORD}[ÂÃ][{re.escape(SECOND)}]{WORD}"),
    "letters_lost": re.compile(rf"{WORD}\N{{REPLACEMENT CHARACTER}}{WORD}"),
}
MARKS = {"letters_misread": ("Â", "Ã"), "letters_lost": ("\N{REPLACEMENT CHARACTER}",)}


@dataclass(frozen=True)
class OddLetters:
    """A finding: its kind, the number of words or letters, an example as it is read, and as it was probably meant."""

    code: str
    count: int
    example: str
    meant: str


class LetterCheck:
    """Search the pieces of a text file for letters that show a wrong encoding."""

    def __init__(self, origin: Origin) -> None:
        self.encoding = origin.encoding
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict") if _single_byte(origin.encoding) else None
        """Reads the file as UTF-8 too. None: it is declared as UTF-8, or it is not UTF-8."""
        self._letters, self._example = 0, ("", "")
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, piece: bytes, text: str) -> None:
        """Search the next piece: its bytes, and its text as declared."""
        for code, pattern in PATTERNS.items():
            if any(mark in text for mark in MARKS[code]):
                for found in pattern.findall(text):
                    self._counts[code] += 1
                    self._examples.setdefault(code, found)
        if self._utf8 is not None:
            try:
                meant = self._utf8.decode(piece)
            except UnicodeDecodeError:
                self._utf8 = None
                return
            words = re.findall(r"\w*[^\W\x00-\x7f]\w*", meant)
            if words and not self._letters:
                self._example = words[0].encode().decode(self.encoding, "replace"), words[0]
            self._letters += len(words)

    def found(self) -> OddLetters | None:
        """Return the finding, if there is one."""
        if self._utf8 is not None and self._letters:
            return OddLetters("encoding_may_be_utf8", self._letters, *self._example)
        for code, example in self._examples.items():
            return OddLetters(code, self._counts[code], example, _meant(example))
        return None


def _single_byte(encoding: str) -> bool:
    """Return True if each byte is a letter of this encoding."""
    name = codecs.lookup(encoding).name
    try:
        return name != "utf-8" and len(bytes(range(256)).decode(name, "replace")) == 256
    except UnicodeError:  # for example punycode
        return False


def _meant(example: str) -> str:
    letters = [one.encode("cp1252", "ignore") or one.encode("latin-1", "ignore") for one in example]
    return b"".join(letters).decode("utf-8", "replace")

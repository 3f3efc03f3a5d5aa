"""Text from outside, made fit to be shown: it acts on nothing, and shows no credential.

Text is stored as it was typed. Every stage prints through this module, so it holds nothing else.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u00ad\u200c\u200d"
"""Format characters that words and emoji need, and that change nothing around them."""
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols without a shape: fillers of Hangul, the blank of Braille."""

_URL = re.compile(r"([A-Za-z][\w.+-]*://)[^\s'\"]*@")
_SECRET_VALUE = re.compile(
    r"([?&][\w.-]*(?:token|secret|passw|pwd|key|sig|credential|auth)[\w.-]*=)[^\s&#'\"]+", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """Any text with the credentials of every URL in it masked: user and password, and values named as secret.

    The last net, where the address is not known; `database_urls.scrub` is more thorough where it is.
    """
    return _SECRET_VALUE.sub(r"\1***", _URL.sub(r"\1***@", text))


def inert(text: str, keep: str = "") -> str:
    """`text` with every character that acts on a terminal or a page shown as its code, such as "\\u001b".

    These are control characters with the ends of a line, characters that turn or hide text, and halves of
    characters; those in `keep` stay. Text is stored as it was typed, and shown through this function.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep else _shown(char) for char in text)


def inert_lines(text: str) -> str:
    """`text` with its ends of lines kept and all else `inert`.

    Lines after the first are indented: none of them can pass for a line of its own.
    """
    first, *others = text.split("\n")
    shown = [inert(first)]
    for line in map(inert, others):
        shown.append(line if not line or line.startswith(" ") else f"  {line}")
    return "\n".join(shown)


def is_visible(text: str) -> bool:
    """Whether the text shows anything: a letter, a digit, a punctuation mark or a symbol with a shape."""
    return any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANK for char in text)


def _shown(char: str) -> str:
    kind = unicodedata.category(char)
    acts = kind in {"Cc", "Zl", "Zp", "Cs"} or (kind == "Cf" and char not in _JOINERS)
    if not acts:
        return char
    code = ord(char)
    return _NAMED.get(char) or (f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}")

"""Texts compared by their letters and digits alone, without case, space and punctuation."""

import hashlib

__all__ = ["loose_digest", "loose_letters"]

_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalnum())  # nor digits


def loose_digest(texts: tuple[str, ...]) -> bytes:
    """What the split is drawn from and leaks are found by: 16 bytes of the letters and digits alone."""
    letters = loose_letters("".join(texts))
    return hashlib.blake2b(letters or "\n".join(texts).encode(), digest_size=16).digest()


def loose_letters(text: str) -> bytes:
    """The letters and digits of `text`, without case."""
    if text.isascii():
        return text.lower().encode().translate(None, _NO_LETTERS)
    return "".join(filter(str.isalnum, text.casefold())).encode()

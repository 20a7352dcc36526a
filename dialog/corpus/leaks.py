"""Finds conversations that stand in two splits."""

from collections.abc import Callable, Iterable

__all__ = ["find_leaks"]

_PAIRS = (("valid", "train"), ("test", "train"), ("test", "valid"))


def find_leaks(rows: Callable[[str], Iterable[tuple[bytes, str]]], split_by: str) -> dict[str, list[str]]:
    """Finds conversations of one split that stand in another, but for case, space and punctuation.

    Args:
        rows: yields for a split the loose digest and the id of each conversation.
        split_by: splits drawn by `hash` share none, since equal digests fall into one split.

    Returns:
        For `valid_in_train`, `test_in_train`, `test_in_valid` the ids of the former's conversations.
    """
    if split_by == "hash":
        return {f"{one}_in_{other}": [] for one, other in _PAIRS}
    digests = {name: {digest for digest, _ in rows(name)} for name in ("valid", "test")}
    held = digests["valid"] | digests["test"]
    digests["train"] = {digest for digest, _ in rows("train") if digest in held}
    return {
        f"{one}_in_{other}": [id_ for digest, id_ in rows(one) if digest in digests[other]]
        for one, other in _PAIRS
    }

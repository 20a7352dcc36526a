"""What a table is: its rows by kind, its columns by figure."""

from dataclasses import dataclass

from dialog.evaluation.sums import Figure

__all__ = ["REPLY_ROWS", "RUN_ROWS", "Column", "Table"]

RUN_ROWS = ("frequencies", "run")
REPLY_ROWS = ("anchor", "replies")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        figure: what it shows.
        label: its head.
        decimals: that are printed.
    """

    figure: Figure
    label: str
    decimals: int = 3


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        key: its name in `scores.json`.
        title: its heading.
        text: what it says and how it is counted.
        kinds: of the rows that it has.
        columns: of figures.
        rule: how words were cut; "" for the likelihood.
    """

    key: str
    title: str
    text: str
    kinds: tuple[str, ...]
    columns: tuple[Column, ...]
    rule: str = ""

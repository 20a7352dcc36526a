"""The name of a draw, of z or of words; plain data, no torch."""

from dataclasses import dataclass

from dialog.errors import UsageError

__all__ = ["Draw"]


@dataclass(frozen=True, slots=True)
class Draw:
    """The name of a draw, written SEED/NUMBER.

    Attributes:
        seed: of the draw.
        index: its place among the draws of its seed, from 0; its number is one more.
    """

    seed: int
    index: int = 0

    def __str__(self) -> str:
        return f"{self.seed}/{self.index + 1}"

    @staticmethod
    def parse(text: str) -> "Draw":
        """Reads a name; a seed alone names its first draw.

        Raises:
            UsageError: it is none.
        """
        seed, slash, number = text.strip().partition("/")
        parts = [seed, number] if slash else [seed, "1"]
        if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in parts) or not int(
            parts[1]
        ):
            raise UsageError(
                f"{text.strip()[:40]!r} names no draw; write a seed and a number, both whole, such as 7/1"
            )
        return Draw(int(parts[0]), int(parts[1]) - 1)

    def following(self, count: int) -> list["Draw"]:
        """Returns so many draws of its seed, itself the first."""
        return [Draw(self.seed, self.index + place) for place in range(count)]

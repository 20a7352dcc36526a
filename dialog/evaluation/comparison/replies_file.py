"""`replies.jsonl`: every reply of a comparison, a line a context and row, with what is needed to get it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialog.evaluation.comparison.answering import read_answers
from dialog.evaluation.comparison.material import Material

__all__ = ["RepliesOf", "write_replies"]


@dataclass(frozen=True, slots=True)
class RepliesOf:
    """A row of replies, and the file that they are kept in.

    Attributes:
        name: of the row.
        kind: `replies` or `anchor`.
        path: of the file.
        run: whose they are, or None.
        decoder: by its name, or None.
    """

    name: str
    kind: str
    path: Path
    run: str | None = None
    decoder: str | None = None


def write_replies(
    path: Path, rows: Sequence[RepliesOf], settings: Mapping[str, Any], material: Material
) -> None:
    """Writes the replies of all rows.

    Args:
        path: of the file.
        rows: of replies; anchors, too.
        settings: of the comparison, for the decoders.
        material: what was answered.
    """
    decoders = {each["name"]: each for each in settings["decoders"]}
    begun = path.with_suffix(".part")
    with begun.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            decoder = decoders.get(row.decoder or "")
            for answer, context in zip(read_answers(row.path), material.contexts, strict=True):
                line = {
                    "row": row.name,
                    "run": row.run,
                    "decoder": decoder,
                    **answer.to_json(),
                    "reference": context.reference,
                }
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    begun.replace(path)

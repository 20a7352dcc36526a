"""The Self-dialogue Corpus (Fainberg et al. 2018): results of Mechanical Turk as CSV, an assignment a row.

    corpus/<topic>/*.csv   …, AssignmentId, WorkerId, Answer.sentence1, …, Answer.sentence10, …, Reject
    blocked_workers.txt    workers whose rows are left out

One person writes both sides in turn, so the speakers are A and B. A sentence `{}` is an empty answer.
"""

import csv
import re
from collections.abc import Iterator

from dialog.conversation import Conversation, Turn
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_self_dialogue"]

_SENTENCE = re.compile(r"Answer\.sentence(\d+)")
_LONGEST_FIELD = 1 << 20


def read_self_dialogue(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    blocked_file = material.one("blocked_workers.txt")
    blocked = (
        {line.strip() for _, line in text_lines(material, blocked_file, tally)} if blocked_file else set()
    )
    seen: set[str] = set()
    found = False
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    for file in material.named("*.csv"):
        shown = material.shown(file)
        # Lines keep their ends inside the quotes of a field: the reader gets them one by one, and joins them.
        rows = csv.reader(f"{line}\n" for _, line in text_lines(material, file, tally))
        try:
            header = next(rows, [])
            columns = sorted(
                (int(match[1]), place)
                for place, name in enumerate(header)
                if (match := _SENTENCE.fullmatch(name))
            )
            if not columns or "AssignmentId" not in header:
                tally.note("files without the columns of the corpus", shown)
                continue
            found = True
            for row in rows:
                values = dict(zip(header, row, strict=False))
                said = [(place, row[place].strip()) for _, place in columns if place < len(row)]
                tally.found += len(said)
                id_, where = values.get("AssignmentId", ""), f"{shown}:{rows.line_num}"
                reason = None
                if values.get("Reject"):
                    reason = "in a rejected assignment"
                elif values.get("WorkerId") in blocked:
                    reason = "by a blocked worker"
                elif not id_ or id_ in seen:
                    reason = "in an assignment that stands there twice, or without a name"
                if reason is not None:
                    tally.lose(reason, where, len(said))
                    continue
                seen.add(id_)
                kept = [text for _, text in said if text not in ("", "{}")]
                if len(kept) < len(said):
                    tally.lose("an empty answer", where, len(said) - len(kept))
                turns = tuple(Turn("AB"[place % 2], text) for place, text in enumerate(kept))
                yield Found(None, Conversation(id_, turns))
        except csv.Error as error:
            tally.note("files that are damaged from a row on", f"{shown}: {error}")
    if not found:
        raise missing(
            "the Self-dialogue Corpus", ["CSV file with AssignmentId and Answer.sentence1"], material
        )

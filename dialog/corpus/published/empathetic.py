"""EmpatheticDialogues (Rashkin et al. 2019): comma-separated, without quotes; a comma of a text is `_comma_`.

    conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags

A ninth field, where there is one, holds candidates. The lines of a conversation stand together, in order.
"""

from collections.abc import Iterator

from dialog.conversation import Conversation, Turn
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_empathetic"]

_HEADER = "conv_id,utterance_idx,"


def read_empathetic(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    found = False
    for file in material.named("*.csv"):
        shown, split = material.shown(file), material.split_of(file)
        rows = text_lines(material, file, tally)
        if not next(rows, (0, ""))[1].startswith(_HEADER):
            tally.note("files without the columns of the corpus", shown)
            continue
        found = True
        turns: list[Turn] = []
        current = ""
        for number, line in rows:
            fields = line.split(",")
            if not line.strip():
                continue
            tally.found += 1
            if len(fields) not in (8, 9):
                tally.lose("a line without 8 or 9 fields", f"{shown}:{number}")
                continue
            if fields[0] != current and turns:
                yield Found(split, Conversation(current, tuple(turns)))
                turns = []
            current = fields[0]
            turns.append(Turn(fields[4], fields[5].replace("_comma_", ",").replace("_pipe_", "|")))
        if turns:
            yield Found(split, Conversation(current, tuple(turns)))
    if not found:
        raise missing("EmpatheticDialogues", ["train.csv with its columns"], material)

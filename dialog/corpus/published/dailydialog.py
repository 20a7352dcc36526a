"""DailyDialog (Li et al. 2017): a conversation a line, `__eou__` after each utterance, a file a split.

The archive also holds all conversations in one file, `dialogues_text.txt`, which is read where no split is there.
"""

from collections.abc import Iterator

from dialog.conversation import Conversation, Turn
from dialog.corpus.dailydialog import END_OF_UTTERANCE
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_dailydialog"]


def read_dailydialog(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    files = [
        file for split in ("train", "validation", "test") for file in material.named(f"dialogues_{split}.txt")
    ]
    files = files or material.named("dialogues_text.txt")
    if not files:
        raise missing("DailyDialog", ["dialogues_train.txt"], material)
    for file in files:
        for number, line in text_lines(material, file, tally):
            where = f"{material.shown(file)}:{number}"
            if not line.strip():
                continue
            parts = line.split(END_OF_UTTERANCE)
            if not parts[-1].strip():
                parts.pop()
            tally.found += len(parts)
            turns = tuple(Turn("AB"[place % 2], text.strip()) for place, text in enumerate(parts))
            yield Found(material.split_of(file), Conversation(where, turns))

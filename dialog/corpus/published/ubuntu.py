r"""The Ubuntu Dialogue Corpus (Lowe et al. 2015), version 1: a tab-separated file a conversation.

    dialogs/3/1.tsv    2008-04-17T14:06:00.000Z\tfrom\tto\ttext

Version 2 names the files of its splits in `trainfiles.csv`, `valfiles.csv` and `testfiles.csv`, as `1.tsv,3`; where one
of them is there, the splits are those, and what they do not name is for training.
"""

from collections.abc import Iterator

from dialog.conversation import Conversation, Turn
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_ubuntu"]

_LISTS = {"trainfiles.csv": "train", "valfiles.csv": "valid", "testfiles.csv": "test"}


def read_ubuntu(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    files = material.named("*.tsv")
    if not files:
        raise missing(
            "the Ubuntu Dialogue Corpus", ["dialogs/3/1.tsv or another file of a conversation"], material
        )
    splits: dict[str, str] = {}
    for name, split in _LISTS.items():
        for file in material.named(name):
            for _, line in text_lines(material, file, tally):
                leaf, _, folder = (part.strip() for part in line.partition(","))
                splits[f"{folder}/{leaf}"] = split
    for file in files:
        shown = material.shown(file)
        turns = []
        for number, line in text_lines(material, file, tally):
            if not line.strip():
                continue
            tally.found += 1
            fields = line.split("\t", 3)
            if len(fields) < 4 or not fields[1].strip():
                tally.lose("a line without four fields", f"{shown}:{number}")
            else:
                turns.append(Turn(fields[1], fields[3]))
        key = f"{file.parent.name}/{file.name}"
        if turns:
            yield Found(
                splits.get(key, "train") if splits else None,
                Conversation(key.removesuffix(".tsv"), tuple(turns)),
            )

"""Taskmaster 1, 2 and 3 (Byrne et al. 2019, 2021): JSON lists of conversations.

    self-dialogs.json, woz-dialogs.json, data_00.json, flights.json, …
        [{"conversation_id": "dlg-…", "utterances": [{"speaker": "USER", "text": "…", …}, …]}, …]
    train.csv, dev.csv, test.csv    Taskmaster-1: the names of the self-dialogs of each split

Where these lists are there, what they do not name is for training.
"""

import re
from collections.abc import Iterator

from dialog.conversation import Conversation
from dialog.corpus.published.material import (
    Found,
    Material,
    Tally,
    as_list,
    as_text,
    missing,
    read_json,
    text_lines,
    turns_of,
)

__all__ = ["read_taskmaster"]

_LISTS = {"train.csv": "train", "dev.csv": "valid", "test.csv": "test"}
_NO_CONVERSATIONS = ("ontology.json", "sample.json")
_NAME = re.compile(r"dlg-[0-9a-f-]+")


def read_taskmaster(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    splits = {
        name: split
        for leaf, split in _LISTS.items()
        for file in material.named(leaf)
        for _, line in text_lines(material, file, tally)
        for name in _NAME.findall(line)
    }
    found = False
    for file in material.named("*.json"):
        if file.name in _NO_CONVERSATIONS or {"ontology", "reward"} & set(file.parent.parts):
            continue
        for item in as_list(read_json(material, file)):
            values = item if isinstance(item, dict) else {}
            id_ = as_text(values.get("conversation_id", values.get("conversationId")))
            if id_ is None or not isinstance(values.get("utterances"), list):
                tally.note("entries without 'conversation_id' and 'utterances'", material.shown(file))
                continue
            found = True
            turns = turns_of(values["utterances"], "speaker", "text", tally, f"{material.shown(file)}: {id_}")
            yield Found(splits.get(id_, "train") if splits else None, Conversation(id_, turns))
    if not found:
        raise missing("Taskmaster", ["self-dialogs.json or another list of conversations"], material)

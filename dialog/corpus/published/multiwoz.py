"""MultiWOZ (Budzianowski et al. 2018): versions 2.0 and 2.1 in one JSON object, 2.2 in lists, a folder a split.

data.json                          {"SNG0073.json": {"log": [{"text": "…", …}, …], …}, …}: user first, then system
valListFile.txt, testListFile.txt  the names of those two splits (in 2.0 with the ending .json)
train/dialogues_001.json           2.2: [{"dialogue_id": …, "turns": [{"speaker": "USER", "utterance": "…"}, …]}, …]
"""

from collections.abc import Iterator
from typing import Any

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

__all__ = ["read_multiwoz"]

_LISTS = {"valid": "vallistfile", "test": "testlistfile"}


def read_multiwoz(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    whole = material.one("data.json")
    parts = material.named("dialogues_*.json")
    if whole is not None:
        yield from _whole(material, read_json(material, whole), tally)
    elif parts:
        for file in parts:
            for item in as_list(read_json(material, file)):
                values: dict[str, Any] = item if isinstance(item, dict) else {}
                id_ = as_text(values.get("dialogue_id"))
                if id_ is None or not isinstance(values.get("turns"), list):
                    tally.note("entries without 'dialogue_id' and 'turns'", material.shown(file))
                    continue
                turns = turns_of(
                    values["turns"], "speaker", "utterance", tally, f"{material.shown(file)}: {id_}"
                )
                yield Found(material.split_of(file), Conversation(id_, turns))
    else:
        raise missing("MultiWOZ", ["data.json", "dialogues_001.json"], material)


def _whole(material: Material, value: Any, tally: Tally) -> Iterator[Found]:
    splits: dict[str, str] = {}
    for split, name in _LISTS.items():
        file = material.one(f"{name}.txt", f"{name}.json")
        for _, line in text_lines(material, file, tally) if file is not None else ():
            splits[line.strip()] = split
    for id_, item in value.items() if isinstance(value, dict) else ():
        log = item.get("log") if isinstance(item, dict) else None
        if not isinstance(log, list):
            tally.note("entries without 'log'", id_)
            continue
        said = [
            {"speaker": ("USER", "SYSTEM")[place % 2], **each} if isinstance(each, dict) else each
            for place, each in enumerate(log)
        ]
        yield Found(
            splits.get(id_, "train") if splits else None,
            Conversation(id_.removesuffix(".json"), turns_of(said, "speaker", "text", tally, id_)),
        )

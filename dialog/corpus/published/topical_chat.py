"""Topical-Chat (Gopalakrishnan et al. 2019): a JSON object a split, a conversation a key.

    {"t_bde…": {"content": [{"agent": "agent_1", "message": "…", …}, …], …}, …}

Validation and test are each published as `freq` and `rare`; both are read.
"""

from collections.abc import Iterator

from dialog.conversation import Conversation
from dialog.corpus.published.material import Found, Material, Tally, missing, read_json, turns_of

__all__ = ["read_topical_chat"]


def read_topical_chat(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    names = ("train.json", "valid_freq.json", "valid_rare.json", "test_freq.json", "test_rare.json")
    files = [file for file in material.named(*names) if "reading_sets" not in file.parts]
    found = False
    for file in files:
        value = read_json(material, file)
        for id_, item in value.items() if isinstance(value, dict) else ():
            if not (isinstance(item, dict) and isinstance(item.get("content"), list)):
                tally.note("entries without 'content'", f"{material.shown(file)}: {id_}")
                continue
            found = True
            turns = turns_of(item["content"], "agent", "message", tally, f"{material.shown(file)}: {id_}")
            yield Found(material.split_of(file), Conversation(id_, turns))
    if not found:
        raise missing("Topical-Chat", ["conversations/train.json with conversations"], material)

"""RealPersonaChat (Yamashita et al. 2023): a JSON file a conversation.

    dialogues/00001.json   {"dialogue_id": 1, "utterances": [{"interlocutor_id": "AA", "text": "…", …}, …], …}

What is known of the speakers (`interlocutors.json`) is not read: they are never to be identified.
"""

from collections.abc import Iterator

from dialog.conversation import Conversation
from dialog.corpus.published.material import Found, Material, Tally, as_text, missing, read_json, turns_of
from dialog.errors import LogFormatError

__all__ = ["read_real_persona_chat"]


def read_real_persona_chat(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    found = False
    for file in material.named("*.json"):
        if file.name == "interlocutors.json":
            continue
        shown = material.shown(file)
        try:
            value = read_json(material, file)
        except LogFormatError as error:
            tally.note("files that are damaged", str(error))
            continue
        id_ = as_text(value.get("dialogue_id")) if isinstance(value, dict) else None
        if id_ is None or not isinstance(value.get("utterances"), list):
            tally.note("files without 'dialogue_id' and 'utterances'", shown)
            continue
        found = True
        turns = turns_of(value["utterances"], "interlocutor_id", "text", tally, shown)
        yield Found(None, Conversation(id_, turns))
    if not found:
        raise missing("RealPersonaChat", ["dialogues/00001.json"], material)

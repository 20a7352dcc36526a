"""What people found good, as a corpus that a model goes on learning from; `hred learn` is made of these steps.

    FOLDER/                      the run folder, as `hred train` writes it
    FOLDER/learning/             what it was made of, for its user alone
        train-VERSION.jsonl      reviewed conversations: see `app.store.reviewed`
        valid-VERSION.jsonl      those that the weights are chosen by
        corpus-VERSION/          the same, tokenised
        end.json                 how it ended

VERSION is the hash of all lines: the same reviews give the same. A chat is in one of the two files as a whole, and
which one is a function of its id, so that chats that are added later move none.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.errors import StoreError

if TYPE_CHECKING:
    from app.store import Store

__all__ = [
    "FEWEST_CHATS",
    "LEARNING",
    "Lessons",
    "end_of",
    "lessons_of",
    "note_end",
    "settings_of",
    "write_lessons",
]

LEARNING = "learning"
END = "end.json"
FEWEST_CHATS = 2
"""One to learn from, one to choose the best weights by."""
_VALID_SHARE = 0.2

_OF_SCHEDULE = (
    "learning_rate",
    "warmup_updates",
    "decay_updates",
    "validate_every",
    "validate_conversations",
    "patience",
    "batch_tokens",
    "batches_per_update",
    "measure_replies",
    "sample_replies",
    "kl_annealing_updates",
    "kl_schedule",
    "kl_cycles",
    "kl_rising_share",
)
"""What going on with a trained model sets anew; all else is as the model was trained."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What there is to learn.

    Attributes:
        chats: sessions that it comes from.
        conversations: lines, each a way through such a session.
        whys: how many replies are worth learning, by why.
        lines: by the name of the split.
        version: hash of all lines, 16 hexadecimal digits.
    """

    chats: int
    conversations: int
    whys: Mapping[str, int]
    lines: Mapping[str, Sequence[bytes]]
    version: str

    @property
    def replies(self) -> int:
        """Replies worth learning."""
        return sum(self.whys.values())

    def check(self) -> None:
        """Checks that it is enough to begin with.

        Raises:
            StoreError: it is not.
        """
        if self.chats < FEWEST_CHATS:
            raise StoreError(
                f"there is too little to learn from (reviewed chats of people who agreed to it: {self.chats}, needed: "
                f"{FEWEST_CHATS}); like or correct replies in more chats, with the switch below the page on"
            )


def lessons_of(store: "Store") -> Lessons:
    """Returns what everybody who agreed to it found good."""
    from app.store import line_of

    by_chat: dict[str, list[bytes]] = {}
    whys: Counter[str] = Counter()
    every = hashlib.sha256()
    for conversation in store.reviewed():
        line = line_of(conversation)
        every.update(line)
        by_chat.setdefault(conversation["id"].partition("/")[0], []).append(line)
        whys.update(each["why"] for each in conversation["reviewed"])
    splits: dict[str, list[bytes]] = {"train": [], "valid": []}
    for chat, split in _splits(list(by_chat)).items():
        splits[split] += by_chat[chat]
    count = sum(map(len, splits.values()))
    return Lessons(len(by_chat), count, dict(sorted(whys.items())), splits, every.hexdigest()[:16])


def _splits(chats: Sequence[str]) -> dict[str, str]:
    """Returns the split of each chat: drawn from its id, but neither split is empty if there are two chats."""
    places = {chat: int(hashlib.sha256(chat.encode()).hexdigest()[:12], 16) / 16**12 for chat in chats}
    ordered = sorted(chats, key=places.__getitem__)
    count = sum(place < _VALID_SHARE for place in places.values())
    count = min(max(count, 1), max(len(chats) - 1, 0))
    valid = set(ordered[:count])
    return {chat: "valid" if chat in valid else "train" for chat in chats}


def write_lessons(folder: Path, lessons: Lessons) -> dict[str, Path]:
    """Writes the files of both splits below a run folder, readable for its user alone; returns their paths."""
    place = folder / LEARNING
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    paths = {}
    for split, lines in lessons.lines.items():
        paths[split] = place / f"{split}-{lessons.version}.jsonl"
        beside = place / f".{split}.new"
        with beside.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(paths[split])
    return paths


def settings_of(config: Mapping[str, Any], learning_rate: float, updates: int) -> list[str]:
    """Returns `NAME=VALUE` of all that a training which goes on from a run sets.

    Args:
        config: the run's `config.json`.
        learning_rate: at its highest, after a short warm-up.
        updates: of the whole training.
    """
    from dialog.models.registry import model_class
    from dialog.training.config import training_config_class

    training = config.get("training", {})
    is_latent = model_class(config["model"]).is_latent
    known = training_config_class(is_latent).__dataclass_fields__
    kept = {name: value for name, value in training.items() if name in known and name not in _OF_SCHEDULE}
    sizes = {name: value for name, value in config["settings"].items() if name != "vocab_size"}
    anew: dict[str, Any] = {
        "learning_rate": learning_rate,
        "warmup_updates": max(1, updates // 20),
        "decay_updates": updates,
        "validate_every": max(1, min(500, updates // 10)),
        "validate_conversations": 0,
        "patience": 0,
        "batch_tokens": 1024,  # there is little to learn: smaller batches make more updates of it
        "measure_replies": 50,
        "sample_replies": 2,
        **({"kl_annealing_updates": 0} if is_latent else {}),  # its z is trained already
    }
    return [f"{name}={_text(value)}" for name, value in {**sizes, **kept, **anew}.items()]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def note_end(folder: Path, how: str, sentence: str = "") -> None:
    """Keeps how a training ended: `done`, `stopped`, or `failed` and why."""
    place = folder / LEARNING
    if place.is_dir():
        beside = place / f".{END}.new"
        beside.write_text(json.dumps({"ended": how, "sentence": sentence}), encoding="utf-8")
        beside.replace(place / END)


def end_of(folder: Path) -> tuple[str, str] | None:
    """Returns how a training ended, and the sentence; None if it runs, or was broken off."""
    try:
        values = json.loads((folder / LEARNING / END).read_bytes())
        return str(values["ended"]), str(values["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

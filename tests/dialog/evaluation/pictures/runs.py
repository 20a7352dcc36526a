"""Tiny runs in memory, for the pictures of trained runs."""

from pathlib import Path
from typing import Any

from dialog.conversation import Conversation, Turn
from dialog.run_folder import Run
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from tests.dialog.models.tiny import make_model

TOKENIZER = Tokenizer.from_bytes(train_tokenizer([f"hello number {n}, how are you?" for n in range(60)], 300))
_READS_TURNS = ("seq2seq", "hred", "vhred", "vhcr", "transformer")


def run_of(name: str, **settings: Any) -> Run:
    settings = {"max_utterance_tokens": 64} | settings if name in _READS_TURNS else settings
    model = make_model(name, vocab_size=TOKENIZER.num_tokens, **settings).float()
    return Run(Path("runs") / name, name, model, TOKENIZER, "hash", {})


def conversation(*texts: str) -> Conversation:
    return Conversation("", tuple(Turn("AB"[place % 2], text) for place, text in enumerate(texts)))

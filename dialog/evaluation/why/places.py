"""The places of a context that a reply looks at, by name: tokens of the last turns, or the turns themselves."""

from collections.abc import Sequence

from dialog.evaluation.pictures.names import shortened, token_names
from dialog.evaluation.why.records import Places
from dialog.models.base import ReplyModel
from dialog.text.batches import EOS
from dialog.text.tokenizer import Tokenizer

__all__ = ["name_places"]


def name_places(model: ReplyModel, tokenizer: Tokenizer, texts: Sequence[str], count: int) -> Places:
    """Names the `count` places that a reply looks at, the last ones of what the model's settings say.

    Args:
        model: whose attention it is.
        tokenizer: the model's own.
        texts: the turns that were read, neighbours of one speaker joined.
        count: of real places in the model's own mask.
    """
    settings = model.config.to_json()
    turns = texts[-settings.get("attention_turns", settings.get("context_turns", 1)) :]
    if settings.get("attention_over") == "turns":
        return Places(tuple(shortened(text) for text in turns), tuple(range(len(turns))))
    names: list[str] = []
    starts: list[int] = []
    for tokens in tokenizer.encode_all(turns):
        starts.append(len(names))
        names += token_names(tokenizer, [*tokens, EOS][: settings["max_utterance_tokens"]])
    passed = len(names) - count  # tokens that a limit of the whole context leaves out
    assert passed >= 0, "a model looks at what its settings do not say"
    return Places(tuple(names[passed:]), tuple(sorted({max(0, start - passed) for start in starts})))

"""Replies to a few contexts of the validation split, shown at each validation."""

from typing import Any

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit
from dialog.text.tokenizer import Tokenizer

__all__ = ["sample_replies"]

_CONTEXT_TURNS = 3


def sample_replies(
    model: ReplyModel, tokenizer: Tokenizer, split: EncodedSplit, count: int, seed: int = 1
) -> list[dict[str, Any]]:
    """Returns a reply by top-p 0.9 to each of the first `count` conversations' first turns.

    Args:
        model: is put into evaluation mode for the time, then back.
        tokenizer: the model's own.
        split: where the contexts come from.
        count: how many.
        seed: of the replies, the same at each validation.
    """
    conversations = []
    for number in range(min(count, len(split))):
        utterances = split[number].utterances[:_CONTEXT_TURNS]
        texts = [tokenizer.decode(tokens.tolist()) for tokens in utterances]
        turns = tuple(Turn("AB"[place % 2], text) for place, text in enumerate(texts))
        conversations.append(Conversation(str(number), turns))
    if not conversations:
        return []
    was_training = model.training
    replies = Replier(model, tokenizer, model_hash="").reply_all(
        conversations, Sampling(top_p=0.9, max_tokens=40), seed=seed
    )
    model.train(was_training)
    return [
        {"context": [turn.text for turn in conversation.turns], "reply": reply[0].text}
        for conversation, reply in zip(conversations, replies, strict=True)
    ]

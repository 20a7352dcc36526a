"""Text that answers nothing: drawn from a language model, or from any model that can be planned without a context.

The loop, its filters and its draws are those of replies: text i of a seed is the same however many are drawn.
"""

from dataclasses import replace

import torch

from dialog.decoding.batch import DecodingBatch
from dialog.decoding.pieces import text_of
from dialog.decoding.reading import Reading
from dialog.decoding.replier import Asked, Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.models.base import DecoderState, ReplyModel
from dialog.models.registry import check_generates
from dialog.run_folder import Run
from dialog.text.batches import BOS

__all__ = ["generate_texts"]


@torch.inference_mode()
def generate_texts(
    run: Run, sampling: Sampling, num_texts: int = 1, seed: int = 0, prompt: str = ""
) -> list[Reply]:
    """Draws texts from the empty context.

    Args:
        run: of a model that generates; see `models.registry`.
        sampling: how tokens are chosen; its limits count the tokens behind the prompt.
        num_texts: how many.
        seed: of all.
        prompt: what each text begins with; read, not scored.

    Returns:
        The texts, prompt and all; tokens and log-probabilities are of what stands behind the prompt.

    Raises:
        UsageError: the model does not generate, or a beam finds fewer texts than are asked for.
    """
    check_generates(run.name, run.folder)
    replier = Replier(run.model, run.tokenizer, run.model_hash)
    replier.check(sampling, range(num_texts))
    nothing = Reading("", run.model.start(1), [])
    drafts, state = replier.begin([Asked(nothing, sampling, seed, index) for index in range(num_texts)])
    read = run.tokenizer.encode(prompt)
    batch = DecodingBatch(run.model)
    batch.join(drafts, _read(run.model, state, read), [BOS, *read][-1])
    for _ in batch.run():
        pass
    replies = [replier.finish(draft) for draft in drafts]
    if not read:
        return replies
    texts = [text_of(draft, run.tokenizer, before=read) for draft in drafts]
    return [replace(one, text=text) for one, text in zip(replies, texts, strict=True)]


def _read(model: ReplyModel, state: DecoderState, prompt: list[int]) -> DecoderState:
    """Steps over the start token and all of a prompt but its last token, which decoding begins with."""
    for token in [BOS, *prompt][:-1]:
        _, state = model.step(torch.full((state.num_rows,), token, device=state.device), state)
    return state

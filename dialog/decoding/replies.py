"""What a reply is asked for with (Sampling) and what it comes back as (Reply); plain data, no torch."""

from dataclasses import asdict, dataclass
from typing import Literal

from dialog.errors import UsageError

__all__ = ["CHAT_SAMPLING", "Ended", "Method", "Reply", "Sampling"]

Method = Literal["greedy", "sample"]
Ended = Literal["end", "length", "stop"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        method: `greedy` takes the most probable token, `sample` draws one.
        temperature: the logits are divided by it before anything else; above 0.
        top_k: only the k most probable tokens stay; 0 keeps all.
        top_p: only the smallest set of most probable tokens whose probability reaches p stays
            (Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration"); in (0, 1].
        max_tokens: the longest reply, in tokens.

    Raises:
        UsageError: a value is out of its range.
    """

    method: Method = "sample"
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_tokens: int = 60

    def __post_init__(self) -> None:
        if self.method not in ("greedy", "sample"):
            raise UsageError(f"method is {self.method!r}, but must be 'greedy' or 'sample'")
        if not 0.0 < self.temperature <= 100.0:
            raise UsageError(
                f"temperature is {self.temperature}, but must be above 0 and at most 100; "
                "for the most probable reply take the method 'greedy'"
            )
        if self.top_k < 0:
            raise UsageError(f"top_k is {self.top_k}, but must be 0 (keep all tokens) or more")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top_p is {self.top_p}, but must be above 0 and at most 1")
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}, but must be 1 or more")


CHAT_SAMPLING = Sampling(temperature=0.8, top_p=0.9)
"""What the page and the commands begin with: varied, but seldom off the track."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with all that is needed to get it again.

    Attributes:
        text: the reply as text.
        tokens: its token ids, the end token included when the reply ended by it.
        ended: by the end token (`end`), at `max_tokens` (`length`), or stopped by its reader (`stop`).
        log_probability: nats, of all its tokens under the model; for a latent model given its z.
        filtered_log_probability: nats, under the distribution that was drawn from (0 when greedy).
        latent: the z it was decoded from, or None for a model without one.
        seed: with `index`, what its generator was made from.
        index: its place among the replies asked for at once; reply 3 of 5 is reply 3 of 10.
        sampling: how its tokens were chosen.
        model_hash: SHA-256 of the weights, hexadecimal.
        context_hash: of the context it answered, hexadecimal.
    """

    text: str
    tokens: tuple[int, ...]
    ended: Ended
    log_probability: float
    filtered_log_probability: float
    latent: tuple[float, ...] | None
    seed: int
    index: int
    sampling: Sampling
    model_hash: str
    context_hash: str

    def to_json(self) -> dict[str, object]:
        """Returns the reply as plain JSON values."""
        return asdict(self)

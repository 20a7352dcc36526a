"""What a reply is asked for with (Sampling) and what it comes back as (Reply); plain data, no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from dialog.errors import UsageError

__all__ = ["CHAT_SAMPLING", "FIELDS_OF", "Ended", "Method", "Reply", "Sampling"]

Method = Literal["greedy", "sample", "beam"]
Ended = Literal["end", "length", "stop"]

_MOST_STOPS = 4
_LONGEST_STOP = 100  # characters
_ALWAYS = ("repetition_penalty", "no_repeat_ngram", "min_tokens", "max_tokens")
FIELDS_OF: dict[str, tuple[str, ...]] = {
    "sample": ("temperature", "top_k", "top_p", "min_p", *_ALWAYS, "stop"),
    "greedy": (*_ALWAYS, "stop"),
    "beam": ("temperature", "beam_size", "beam_groups", "diversity", "length_penalty", *_ALWAYS),
}
"""The settings that each method reads; the others it passes over."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        method: `greedy` takes the most probable token, `sample` draws one, `beam` keeps the `beam_size`
            most probable beginnings of replies.
        temperature: the logits are divided by it before anything else; above 0.
        top_k: only the k most probable tokens stay; 0 keeps all.
        top_p: only the smallest set of most probable tokens whose probability reaches p stays
            (Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration"); in (0, 1].
        min_p: only tokens whose probability is at least this share of the most probable one's stay
            (Nguyen et al. 2024, "Turning Up the Heat"); in [0, 1], 0 keeps all.
        repetition_penalty: the logits of tokens that the reply holds already are divided by it where they
            are above 0, multiplied where below (Keskar et al. 2019, "CTRL"); 1 or more, 1 changes nothing.
        no_repeat_ngram: no n tokens in a row stand twice in a reply (Paulus et al. 2018); 0 blocks nothing.
        min_tokens: the reply does not end before so many tokens, the end token not counted.
        max_tokens: the longest reply, in tokens.
        beam_size: hypotheses that `beam` keeps.
        beam_groups: groups that these are divided into (Vijayakumar et al. 2018, "Diverse Beam Search");
            1 is plain beam search.
        diversity: nats that a group's token costs for each time that an earlier group chose it at the same
            step (the Hamming diversity of that paper).
        length_penalty: alpha of the length normalisation ((5 + tokens) / 6) ** alpha that a hypothesis'
            log-probability is divided by (Wu et al. 2016, "Google's Neural Machine Translation System"); 0
            is none.
        stop: the reply ends before the first of these texts that it would hold (`decoding.stopping`); at most
            4 of at most 100 characters. A beam takes none, for its replies are found whole.

    Raises:
        UsageError: a value is out of its range.
    """

    method: Method = "sample"
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    min_tokens: int = 1
    max_tokens: int = 60
    beam_size: int = 5
    beam_groups: int = 1
    diversity: float = 0.5
    length_penalty: float = 1.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in ("greedy", "sample", "beam"):
            raise UsageError(f"method is {self.method!r}, but must be 'greedy', 'sample' or 'beam'")
        if not 0.0 < self.temperature <= 100.0:
            raise UsageError(
                f"temperature is {self.temperature}, but must be above 0 and at most 100; "
                "for the most probable reply take the method 'greedy'"
            )
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}, but must be 1 or more")
        if self.top_k < 0:
            raise UsageError(f"top_k is {self.top_k}, but must be 0 (keep all tokens) or more")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top_p is {self.top_p}, but must be above 0 and at most 1")
        if not 0.0 <= self.min_p <= 1.0:
            raise UsageError(f"min_p is {self.min_p}, but must be 0 (keep all tokens) to 1")
        if not 1.0 <= self.repetition_penalty <= 100.0:
            raise UsageError(f"repetition_penalty is {self.repetition_penalty}, but must be 1 (none) to 100")
        if self.no_repeat_ngram < 0:
            raise UsageError(f"no_repeat_ngram is {self.no_repeat_ngram}, but must be 0 (none) or more")
        if not 1 <= self.min_tokens <= self.max_tokens:
            raise UsageError(
                f"min_tokens is {self.min_tokens}, but must be 1 to max_tokens ({self.max_tokens})"
            )
        self._check_beam()
        if self.stop != ():
            self._check_stop()

    def _check_beam(self) -> None:
        if not 1 <= self.beam_size <= 1000:
            raise UsageError(f"beam_size is {self.beam_size}, but must be 1 to 1000")
        if self.beam_groups < 1 or self.beam_size % self.beam_groups:
            raise UsageError(
                f"beam_groups is {self.beam_groups}, but must divide beam_size ({self.beam_size}) evenly"
            )
        if not 0.0 <= self.diversity < float("inf"):
            raise UsageError(f"diversity is {self.diversity}, but must be 0 nats or more")
        if not 0.0 <= self.length_penalty <= 10.0:
            raise UsageError(f"length_penalty is {self.length_penalty}, but must be 0 (none) to 10")

    def _check_stop(self) -> None:
        if isinstance(self.stop, str) or not all(isinstance(text, str) and text for text in self.stop):
            raise UsageError(f"stop is {self.stop!r}, but must be a list of texts, none of them empty")
        object.__setattr__(self, "stop", tuple(self.stop))  # a list, where it was read from JSON
        if len(self.stop) > _MOST_STOPS or any(len(text) > _LONGEST_STOP for text in self.stop):
            raise UsageError(
                f"stop must be at most {_MOST_STOPS} texts of at most {_LONGEST_STOP} characters; "
                "give fewer or shorter ones"
            )
        if self.stop and self.method == "beam":
            raise UsageError(
                "stop ends a reply while it is decoded, and a beam finds replies whole; "
                "take the method 'sample' or 'greedy'"
            )


CHAT_SAMPLING = Sampling(temperature=0.8, top_p=0.9)
"""What the page and the commands begin with: varied, but seldom off the track."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with all that is needed to get it again.

    Attributes:
        text: the reply as text.
        tokens: its token ids, the end token included when the reply ended by it.
        ended: by the end token (`end`), at `max_tokens` (`length`), or by a stop sequence or its reader (`stop`).
        log_probability: nats, of all its tokens under the model; for a latent model given its z.
        filtered_log_probability: nats, under the distribution that was drawn from (0 when greedy).
        latent: the z it was decoded from, or None for a model without one.
        seed: with `index`, what its generator was made from.
        index: its place among the replies asked for at once; reply 3 of 5 is reply 3 of 10.
        sampling: how its tokens were chosen.
        model_hash: SHA-256 of the weights, hexadecimal.
        context_hash: of the context it answered, hexadecimal.
        scores: further figures by name, in nats: `beam` (normalised by length), those of rerankers, `kl`.
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
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Returns the reply as plain JSON values."""
        return asdict(self)

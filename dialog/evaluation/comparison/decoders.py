"""Ways to decode, read from text such as `greedy`, `top-p=0.9,temperature=0.8`, `beam=5` or `mmi=runs/lm`.

| word | what |
|---|---|
| `greedy` | the most probable token each time |
| `sample` | drawn from the model as it is |
| `top-p=`, `top-k=`, `min-p=`, `temperature=` | drawn, filtered so |
| `beam=`, `length-penalty=` | the best of so many hypotheses |
| `mmi=RUN` | the best of some candidates by Li et al. 2016, against a language model or by a backward model |
| `candidates=`, `weight=` | of `mmi`: how many replies are ranked, and lambda |
| `max-tokens=`, `no-repeat-ngram=`, `repetition-penalty=` | with any |
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dialog.decoding.replies import FIELDS_OF, Method, Sampling
from dialog.errors import UsageError

__all__ = ["DEFAULT_DECODERS", "Decoder", "parse_decoder", "parse_decoders"]

DEFAULT_DECODERS = ("greedy", "top-p=0.9")
_NUMBERS: Mapping[str, type] = {
    "top-p": float,
    "top-k": int,
    "min-p": float,
    "temperature": float,
    "beam": int,
    "length-penalty": float,
    "max-tokens": int,
    "no-repeat-ngram": int,
    "repetition-penalty": float,
    "candidates": int,
    "weight": float,
}
_FIELDS = {"beam": "beam_size"}
_OF_MMI = ("candidates", "weight")
_CANDIDATES, _WEIGHT = 10, 0.5
_CANDIDATES_TOP_P = 0.9
"""Candidates for ranking are drawn so unless the text says otherwise."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """One way to decode.

    Attributes:
        name: what tables call it.
        sampling: how tokens are chosen.
        ranker: run by which the best of several candidates is found, or None.
        candidates: how many; read with a ranker alone.
        weight: lambda of the ranker; read with a ranker alone.
    """

    name: str
    sampling: Sampling
    ranker: str | None = None
    candidates: int = _CANDIDATES
    weight: float = _WEIGHT

    @property
    def draws(self) -> bool:
        """Whether several replies of a model without a latent variable differ."""
        return self.ranker is not None or self.sampling.method != "greedy"

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values, of the sampling those that its method reads."""
        sampling = asdict(self.sampling)
        read = {name: sampling[name] for name in FIELDS_OF[self.sampling.method]}
        values: dict[str, Any] = {"name": self.name, "method": self.sampling.method, **read}
        if self.ranker is not None:
            values |= {"candidates": self.candidates, "weight": self.weight}
        return values


def parse_decoder(text: str) -> Decoder:
    """Reads one way to decode.

    Raises:
        UsageError: a word is unknown, has no number, or does not go with the others.
    """
    methods: set[Method] = set()
    given: dict[str, Any] = {}
    ranker: str | None = None
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name in ("greedy", "sample") and not equals:
            methods.add("greedy" if name == "greedy" else "sample")
        elif name == "mmi" and value:
            ranker = value
        elif name in _NUMBERS and equals:
            given[name] = _number(text, name, value)
        else:
            raise _unknown(text, name, bool(equals))
    if "beam" in given:
        methods.add("beam")
    if len(methods) > 1:
        raise UsageError(f"--decoder {text}: {' and '.join(sorted(methods))} exclude each other; name one")
    if ranker is None and (alone := [name for name in _OF_MMI if name in given]):
        raise UsageError(f"--decoder {text}: {alone[0]} is read with mmi=RUN alone; add that or leave it out")
    method: Method = next(iter(methods), "sample")
    if ranker is not None and method == "greedy":
        raise UsageError(
            f"--decoder {text}: greedy finds one reply, and mmi ranks several; take top-p or beam"
        )
    sampling = _sampling(text, method, given, ranker is not None)
    name = _named(text, ranker)
    if ranker is None:
        return Decoder(name, sampling)
    candidates = given.get("candidates", max(_CANDIDATES, sampling.beam_size if method == "beam" else 1))
    return Decoder(name, sampling, ranker, candidates, given.get("weight", _WEIGHT))


def parse_decoders(texts: "list[str] | tuple[str, ...]") -> tuple[Decoder, ...]:
    """Reads several ways to decode.

    Raises:
        UsageError: one cannot be read, or two have the same name.
    """
    decoders = tuple(map(parse_decoder, texts))
    names = [decoder.name for decoder in decoders]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"the decoder {twice.pop()} is given twice; leave one out")
    return decoders


def _sampling(text: str, method: Method, given: Mapping[str, Any], ranked: bool) -> Sampling:
    fields = {
        _FIELDS.get(name, name.replace("-", "_")): value
        for name, value in given.items()
        if name not in _OF_MMI
    }
    if ranked and method == "sample" and not fields.keys() & {"top_p", "top_k", "min_p", "temperature"}:
        fields["top_p"] = _CANDIDATES_TOP_P
    unread = [name for name in fields if name not in FIELDS_OF[method]]
    if unread:
        raise UsageError(
            f"--decoder {text}: {unread[0].replace('_', '-')} does not go with {method}; leave one of them out"
        )
    try:
        return Sampling(method, **fields)
    except UsageError as error:
        raise UsageError(f"--decoder {text}: {error}") from error


def _number(text: str, name: str, value: str) -> Any:
    kind = _NUMBERS[name]
    try:
        return kind(value)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UsageError(f"--decoder {text}: {name} is {value!r}, but must be {wanted}") from None


def _unknown(text: str, name: str, has_value: bool) -> UsageError:
    if name in ("greedy", "sample"):
        return UsageError(f"--decoder {text}: {name} takes no value; write {name} alone")
    if name in _NUMBERS or name == "mmi":
        example = "mmi=RUN" if name == "mmi" else f"{name}={'5' if _NUMBERS[name] is int else '0.9'}"
        return UsageError(f"--decoder {text}: {name} needs a value, such as {example}")
    known = ", ".join(["greedy", "sample", "mmi=RUN", *(f"{each}=" for each in _NUMBERS)])
    return UsageError(f"--decoder {text}: there is no {name!r}; words are {known}")


def _named(text: str, ranker: str | None) -> str:
    """Returns the text without white space, and of a run its folder's name alone."""
    parts = [part.strip() for part in text.split(",")]
    if ranker is not None:
        parts = [f"mmi={Path(ranker).resolve().name}" if part.startswith("mmi") else part for part in parts]
    return ",".join(part.replace(" ", "") for part in parts)

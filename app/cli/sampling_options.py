"""The options by which `hred reply` and `hred chat` choose tokens: one for each field of `Sampling`."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Annotated, Any

import typer

from dialog.decoding.replies import CHAT_SAMPLING, FIELDS_OF, Method, Sampling
from dialog.errors import UsageError

__all__ = ["sampling_of", "takes_options", "takes_sampling"]

_HELP = {
    "method": "sample draws each token, greedy takes the most probable, beam keeps the best beginnings.",
    "temperature": "Divides the logits; below 1 is safer, above 1 wilder.",
    "top_k": "Keep the k most probable tokens; 0 keeps all.",
    "top_p": "Keep the most probable tokens that reach this share together.",
    "min_p": "Keep tokens of at least this share of the most probable one's probability.",
    "repetition_penalty": "Makes tokens that the reply holds less probable; 1 is none.",
    "no_repeat_ngram": "No n tokens in a row stand twice in a reply; 0 allows all.",
    "min_tokens": "The shortest reply, in tokens.",
    "max_tokens": "The longest reply, in tokens.",
    "beam_size": "Beginnings of replies that beam keeps.",
    "beam_groups": "Groups that the beam is divided into, each of which avoids the tokens of those before.",
    "diversity": "Nats that a token costs which an earlier group has chosen.",
    "length_penalty": "0 ranks beams by log-probability, which favours short replies; 1 nearly by that of a token.",
    "stop": "The reply ends before this text; may be given up to four times.",
}


def takes_sampling(
    command: Callable[..., None], method: Method = CHAT_SAMPLING.method
) -> Callable[..., None]:
    """Gives a command an option for each field of `Sampling`; it is called with `sampling`, a `Sampling`.

    Args:
        command: has a parameter `sampling`.
        method: what it takes unless it is told another.
    """
    options = {}
    for field in fields(Sampling):
        kind: Any = list[str] if field.name == "stop" else type(field.default)
        shown = method if field.name == "method" else _default(field.name)
        option = typer.Option(help=f"{_HELP[field.name]}  [default: {shown}]", show_default=False)
        options[field.name] = (Annotated[kind | None, option], None)
    return takes_options(command, "sampling", options, partial(sampling_of, method))


def _default(name: str) -> object:
    drawn, plain = getattr(CHAT_SAMPLING, name), getattr(Sampling(), name)
    if drawn == ():
        return "none"
    return f"{drawn}, with beam {plain}" if drawn != plain and name in FIELDS_OF["beam"] else drawn


def sampling_of(default_method: Method = CHAT_SAMPLING.method, /, **given: Any) -> Sampling:
    """Returns the sampling that options name, the chat's defaults for what is None.

    Args:
        default_method: the method if none is named.
        given: values by the name of the field, or None.

    Raises:
        UsageError: a value is out of range, or the method does not read it.
    """
    named = {name: value for name, value in given.items() if value is not None and value != []}
    method = named.pop("method", default_method)
    default = (
        {name: getattr(CHAT_SAMPLING, name) for name in FIELDS_OF["sample"]} if method == "sample" else {}
    )
    sampling = Sampling(method, **{**default, **named})
    for name in named:
        if name not in FIELDS_OF[method]:
            readers = " or ".join(m for m, names in FIELDS_OF.items() if name in names)
            raise UsageError(
                f"{_flag(name)} is read by --method {readers} alone, and the method is {method}; "
                "change the method or leave it out"
            )
    if "diversity" in named and sampling.beam_groups == 1:
        raise UsageError(
            "--diversity keeps groups apart, and there is one; add --beam-groups or leave it out"
        )
    return sampling


def takes_options(
    command: Callable[..., None],
    name: str,
    options: dict[str, tuple[Any, Any]],
    make: Callable[..., Any],
) -> Callable[..., None]:
    """Puts options in the place of one parameter of a command.

    Args:
        command: has a parameter `name`.
        name: of the parameter.
        options: annotation and default of each, by name.
        make: is called with all of them; what it returns is what the command is given.
    """

    def called(**values: Any) -> None:
        own = {option: values.pop(option) for option in options}
        command(**values, **{name: make(**own)})

    kind = inspect.Parameter.KEYWORD_ONLY
    taken = [
        inspect.Parameter(option, kind, default=default, annotation=annotation)
        for option, (annotation, default) in options.items()
    ]
    signature = inspect.signature(command)
    before = [p.replace(kind=kind) for p in signature.parameters.values() if p.name != name]
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {p.name: p.annotation for p in (*before, *taken)}
    called.__signature__ = signature.replace(parameters=[*before, *taken])  # type: ignore[attr-defined]
    return called


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")

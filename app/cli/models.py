"""`hred models`: which models there are, and what can be set of each; all of it read from the code."""

import json
import math
from textwrap import fill, indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialog.models.registry import MODELS, model_class

if TYPE_CHECKING:
    import dataclasses

    from dialog.models.config import Settings

__all__ = ["models"]

_ABILITIES = {
    "reply": "answers conversations",
    "generate": "makes text without a context",
    "reconstruct": "says again what it is given",
}
_THEN = {
    "reply": ["hred evaluate runs/{0} corpus/", "hred chat runs/{0}", "hred serve runs/{0}"],
    "generate": ["hred evaluate runs/{0} corpus/", "hred generate runs/{0} -n 5"],
    "reconstruct": ["hred evaluate runs/{0} corpus/", 'hred autoencode runs/{0} --text "how are you?"'],
}
_WIDTH = 100


def models(
    name: Annotated[str | None, typer.Argument(help="A model to explain; without it all are listed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """List the models, or explain one: its equation, papers, and every setting with default and range.

    The settings are given to `hred train … --set NAME=VALUE`.
    """
    if name is None:
        found = [_facts(each) for each in MODELS]
        print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _listed(found))
    else:
        explained = _explained(name)
        print(json.dumps(explained, indent=2, ensure_ascii=False) if as_json else _text(explained))


def _facts(name: str) -> dict[str, Any]:
    import torch

    cls, entry = model_class(name), MODELS[name]
    with torch.device("meta"):  # only counted: no number is drawn
        model = cls(cls.config_class())
    return {
        "name": name,
        "purpose": entry.purpose,
        "parameters": model.num_parameters,
        "has_latent_variable": model.is_latent,
        "abilities": list(entry.abilities),
        "lacks": dict(entry.lacks),
        "papers": list(entry.papers),
    }


def _explained(name: str) -> dict[str, Any]:
    import inspect

    from dialog.training.config import training_config_class

    cls = model_class(name)
    module = inspect.getmodule(cls)
    runs = f"hred train corpus/ --model {name} --out runs/{name}"
    then = dict.fromkeys(line.format(name) for ability in MODELS[name].abilities for line in _THEN[ability])
    return {
        **_facts(name),
        "explanation": inspect.getdoc(module) or "",
        "settings": _settings(cls.config_class),
        "presets": {key: dict(values) for key, values in getattr(cls.config_class, "presets", {}).items()},
        "refused": dict(getattr(cls.config_class, "refused", {})),
        "training_settings": _settings(training_config_class(cls.is_latent)),
        "commands": [runs, *then],
    }


def _settings(cls: "type[Settings]") -> list[dict[str, Any]]:
    import dataclasses

    return [_setting(field) for field in dataclasses.fields(cls)]


def _setting(field: "dataclasses.Field[Any]") -> dict[str, Any]:
    metadata = field.metadata
    bounds = {name: metadata[name] for name in ("minimum", "below", "maximum") if name in metadata}
    return {
        "name": field.name,
        "type": {int: "whole number", float: "number", bool: "true or false", str: "text"}[
            type(field.default)
        ],
        "default": field.default,
        "help": metadata["help"],
        "allowed": _allowed(field),
        **{name: value for name, value in bounds.items() if math.isfinite(value)},
        **({"choices": list(metadata["choices"])} if metadata.get("choices") else {}),
        **({"multiple_of": metadata["multiple_of"]} if metadata.get("multiple_of", 1) > 1 else {}),
        **({"read_by": metadata["read_by"]} if metadata.get("read_by") else {}),
    }


def _allowed(field: "dataclasses.Field[Any]") -> str:
    """Returns which values a field may have, in words."""
    metadata, default = field.metadata, field.default
    if metadata.get("choices"):
        return " | ".join(metadata["choices"])
    if isinstance(default, bool):
        return "true | false"
    if isinstance(default, str):
        return "any text"
    least, below, most = metadata["minimum"], metadata["below"], metadata.get("maximum", math.inf)
    if isinstance(default, int) and below < math.inf:
        most, below = min(most, below - 1), math.inf
    words = f"{least:g} or more" if math.isfinite(least) else "any number"
    if most < below:
        words = f"{least:g} to {int(most) if isinstance(default, int) else format(most, 'g')}"
    elif below < math.inf:
        words = f"{least:g} to below {below:g}"
    step = metadata.get("multiple_of", 1)
    return f"{words}, a multiple of {step}" if step > 1 else words


def _listed(found: list[dict[str, Any]]) -> str:
    width = max(len(one["name"]) for one in found)
    pad = " " * (width + 2)
    blocks = []
    for one in found:
        lines = [one["purpose"], f"{one['parameters']:,} parameters; {_able(one)}", *one["papers"]]
        wrapped = "\n".join(
            fill(line, _WIDTH, initial_indent=pad, subsequent_indent=pad + "  ") for line in lines
        )
        blocks.append(one["name"].ljust(width) + wrapped[width:])
    blocks.append(
        "Parameters are those at the default sizes. `hred models NAME` explains one, with its settings."
    )
    return "\n\n".join(blocks)


def _able(one: dict[str, Any]) -> str:
    return " and ".join(_ABILITIES[ability] for ability in one["abilities"])


def _text(one: dict[str, Any]) -> str:
    kept = "" if not one["lacks"] else "; lacks " + ", ".join(f"{k} ({v})" for k, v in one["lacks"].items())
    head = f"{one['name']}: {one['purpose']}\n{one['parameters']:,} parameters at the default sizes; {_able(one)}{kept}"
    sections = [
        head,
        indent(one["explanation"], "  "),
        _section("Papers", [fill(f"  {paper}", _WIDTH, subsequent_indent="    ") for paper in one["papers"]]),
        _section("Sizes and parts, --set NAME=VALUE", [_setting_text(each) for each in one["settings"]]),
        _section("Presets, --set preset=NAME", [_preset_text(*each) for each in one["presets"].items()]),
        _section(
            "Not to be set",
            [
                fill(f"  {key}: {why}", _WIDTH, subsequent_indent="    ")
                for key, why in one["refused"].items()
            ],
        ),
        _section("Training, --set NAME=VALUE", [_setting_text(each) for each in one["training_settings"]]),
        _section("To train and use it", [f"  {command}" for command in one["commands"]]),
    ]
    return "\n\n".join(section for section in sections if section)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *lines]) if lines else ""


def _setting_text(one: dict[str, Any]) -> str:
    reader = f"; only for {one['read_by']}" if "read_by" in one else ""
    value = str(one["default"]).lower() if isinstance(one["default"], bool) else one["default"]
    return f"  {one['name']}={value}  ({one['allowed']})\n" + fill(
        one["help"] + reader, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
    )


def _preset_text(name: str, values: dict[str, Any]) -> str:
    given = ", ".join(f"{key}={value}" for key, value in values.items())
    return fill(f"  {name}: {given}", _WIDTH, subsequent_indent="    ")

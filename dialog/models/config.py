"""Settings as frozen dataclasses whose fields know their unit and range, to and from plain JSON.

A setting that does not exist, has the wrong type or is out of range is a `ConfigError` that names the
field, the value and what is allowed.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from dialog.errors import ConfigError

__all__ = ["Settings", "parse_assignments", "setting"]

_TOO_LARGE = 2**31
"""No whole number of any setting can be as large; torch fails on such sizes with an error of its own."""


def setting(
    default: Any,
    help: str,
    minimum: float = -math.inf,
    below: float = math.inf,
    multiple_of: int = 1,
    choices: Sequence[str] = (),
) -> Any:
    """Declares a field.

    Args:
        default: its value unless given; its type is the field's type.
        help: one line with the unit.
        minimum: the least value allowed.
        below: values must be less than this.
        multiple_of: whole numbers must be a multiple of this.
        choices: what a text may be; empty for any text.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "below": below,
        "multiple_of": multiple_of,
        "choices": choices,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base of every config here; subclasses declare their fields by `setting`.

    Raises:
        ConfigError: a value has the wrong type or is out of range.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(type(self).__name__, field, getattr(self, field.name))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Makes the settings from plain values.

        Raises:
            ConfigError: a key that is no field, or a value that is not allowed.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for key, value in values.items():
            if key not in known:
                raise ConfigError(
                    f"{cls.__name__} has no setting {key!r} (given: {value!r}); "
                    f"it has {', '.join(sorted(known))}"
                )
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain values, in the order of their declaration."""
        return dataclasses.asdict(self)

    @classmethod
    def parse(cls, field_name: str, text: str) -> Any:
        """Reads the value of one field from text, as on a command line.

        Raises:
            ConfigError: the text is no value of the field's type.
        """
        (default,) = (f.default for f in dataclasses.fields(cls) if f.name == field_name)
        kind: type[Any] = type(default)
        try:
            if kind is bool:
                return {"true": True, "false": False}[text.lower()]
            return kind(text)
        except (KeyError, ValueError):
            raise ConfigError(
                f"{field_name} is {text!r}, but must be {_kind_name(kind)}, such as {default!r}"
            ) from None


def parse_assignments(assignments: Iterable[str], *classes: type[Settings]) -> list[dict[str, Any]]:
    """Sorts `name=value` texts by the class that has the name, and reads their values.

    Args:
        assignments: such as `hidden_size=512`.
        classes: settings that may be meant; no two share a field name.

    Returns:
        For each class its values by field name.

    Raises:
        ConfigError: no `=`, a name that none of the classes has, or a value of the wrong type.
    """
    results: list[dict[str, Any]] = [{} for _ in classes]
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        owners = [i for i, cls in enumerate(classes) if name in {f.name for f in dataclasses.fields(cls)}]
        if not equals or not owners:
            names = ", ".join(f.name for cls in classes for f in dataclasses.fields(cls))
            found = f"has no setting {name!r}" if equals else f"is not of the form name=value: {assignment!r}"
            raise ConfigError(f"the model {found}; what can be set: {names}")
        results[owners[0]][name] = classes[owners[0]].parse(name, text)
    return results


def _check(owner: str, field: "dataclasses.Field[Any]", value: Any) -> None:
    kind = type(field.default)
    matches = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not matches or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be {_kind_name(kind)}")
    minimum, below = field.metadata["minimum"], field.metadata["below"]
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        below = min(below, _TOO_LARGE)
    choices = field.metadata.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be one of {', '.join(choices)}")
    if kind in (int, float) and not (minimum <= value < below):
        least = _number(minimum)
        allowed = f"{least} or more" if below == math.inf else f"from {least} to below {_number(below)}"
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be {allowed}")
    if kind is int and value % field.metadata["multiple_of"]:
        allowed = f"a multiple of {field.metadata['multiple_of']}"
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be {allowed}")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1 and value == int(value) else f"{value:g}"


def _kind_name(kind: type) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names[kind]

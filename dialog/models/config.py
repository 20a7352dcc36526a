"""Settings as frozen dataclasses whose fields know their unit and range, to and from plain JSON.

A setting that does not exist, has the wrong type or is out of range is a `ConfigError` that names the
field, the value and what is allowed. So is a setting that nothing would read: a leak where no unit leaks, or
the two directions of a decoder.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from dialog.errors import ConfigError

__all__ = ["Settings", "parse_assignments", "setting"]

_TOO_LARGE = 2**31
"""No whole number of any setting can be as large; torch fails on such sizes with an error of its own."""


def setting(
    default: Any,
    help: str,
    minimum: float = -math.inf,
    below: float = math.inf,
    maximum: float = math.inf,
    multiple_of: int = 1,
    choices: Sequence[str] = (),
    read_by: str = "",
    is_read: "Callable[[Any], bool] | None" = None,
) -> Any:
    """Declares a field.

    Args:
        default: its value unless given; its type is the field's type.
        help: one line with the unit.
        minimum: the least value allowed.
        below: values must be less than this.
        maximum: the largest value allowed.
        multiple_of: whole numbers must be a multiple of this.
        choices: what a text may be; empty for any text.
        read_by: what reads the value, as words behind "is for".
        is_read: whether settings have such a reader; where they have not, only the default is allowed. None if
            it is always read.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "below": below,
        "maximum": maximum,
        "multiple_of": multiple_of,
        "choices": choices,
        "read_by": read_by,
        "is_read": is_read,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base of every config here; subclasses declare their fields by `setting`.

    Raises:
        ConfigError: a value has the wrong type, is out of range, or nothing would read it.
    """

    refused: ClassVar[Mapping[str, str]] = {}
    """Why some settings that people ask for do not exist, a sentence by name."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Values by the name of a preset; `preset=NAME` stands for all of them."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(type(self).__name__, field, getattr(self, field.name))
        for field in dataclasses.fields(self):
            _check_is_read(self, field)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Makes the settings from plain values.

        Raises:
            ConfigError: a key that is no field, or a value that is not allowed.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for key, value in values.items():
            if key in cls.refused:
                raise ConfigError(f"{cls.__name__} has no setting {key!r}: {cls.refused[key]}")
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
        assignments: such as `hidden_size=512`, or `preset=gnmt`; a later one replaces an earlier one.
        classes: settings that may be meant; no two share a field name.

    Returns:
        For each class its values by field name.

    Raises:
        ConfigError: no `=`, a name that none of the classes has, or a value of the wrong type.
    """
    results: list[dict[str, Any]] = [{} for _ in classes]
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if name == "preset" and equals:
            _take_preset(text, classes, results)
            continue
        for cls in classes:
            if name in cls.refused:
                raise ConfigError(f"{cls.__name__} has no setting {name!r}: {cls.refused[name]}")
        owners = [i for i, cls in enumerate(classes) if name in {f.name for f in dataclasses.fields(cls)}]
        if not equals or not owners:
            names = ", ".join(f.name for cls in classes for f in dataclasses.fields(cls))
            found = f"has no setting {name!r}" if equals else f"is not of the form name=value: {assignment!r}"
            raise ConfigError(f"the model {found}; what can be set: {names}")
        results[owners[0]][name] = classes[owners[0]].parse(name, text)
    return results


def _take_preset(name: str, classes: Sequence[type[Settings]], results: list[dict[str, Any]]) -> None:
    owners = [i for i, cls in enumerate(classes) if name in cls.presets]
    if not owners:
        names = ", ".join(preset for cls in classes for preset in cls.presets) or "none"
        raise ConfigError(f"there is no preset {name!r} of this model; there is {names}")
    for owner in owners:
        results[owner].update(classes[owner].presets[name])


def _check_is_read(settings: Settings, field: "dataclasses.Field[Any]") -> None:
    value, is_read = getattr(settings, field.name), field.metadata.get("is_read")
    if is_read is not None and value != field.default and not is_read(settings):
        raise ConfigError(
            f"{type(settings).__name__}.{field.name} is {value!r}, but nothing would read it: it is for "
            f"{field.metadata['read_by']}; leave it out, or set that as well"
        )


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
    maximum = field.metadata.get("maximum", math.inf)
    if kind in (int, float) and not (minimum <= value < below and value <= maximum):
        allowed = f"from {_number(minimum)} to "
        if maximum < below:
            allowed += _number(maximum)
        elif below < math.inf:
            allowed += f"below {_number(below)}"
        else:
            allowed = f"{_number(minimum)} or more"
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be {allowed}")
    if kind is int and value % field.metadata["multiple_of"]:
        allowed = f"a multiple of {field.metadata['multiple_of']}"
        raise ConfigError(f"{owner}.{field.name} is {value!r}, but must be {allowed}")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1 and value == int(value) else f"{value:g}"


def _kind_name(kind: type) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names[kind]

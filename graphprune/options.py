"""Options that describe themselves: name, type, range, default and description in one place.

A method's hyperparameters are the fields of its dataclass, the configuration's keys the fields of
its sections. Both are annotated in pydantic's way, which validates them; the sentences for a user
are made here.

>>> @dataclass(frozen=True)
... class Mine:
...     power: Annotated[float, Field(gt=0, description="Exponent of the weight.")] = 1.0
>>> validated(Mine, {"power": 0.0}, "methods.mine")
Traceback (most recent call last):
graphprune.errors.UserError: methods.mine.power is 0.0; allowed: > 0
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Strict, ValidationError, create_model
from pydantic_core import core_schema

from graphprune.errors import UserError, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# no key of another name, no text for a number, no 1.0 for 1, neither NaN nor infinity
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

_TYPES = {
    "int_type": "integer",
    "float_type": "number",
    "string_type": "string",
    "bool_type": "boolean",
    "list_type": "array",
    "tuple_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "none_required": "null",
    # of text that stands for a number, in CSV
    "int_parsing": "integer",
    "int_from_float": "integer",
    "float_parsing": "number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", ">="),
    "greater_than": ("gt", ">"),
    "less_than_equal": ("le", "<="),
    "less_than": ("lt", "<"),
}


class Section(BaseModel):
    """A section of the configuration; its fields are its keys."""

    model_config = STRICT


@cache
def section_of(cls: Any, leave_out: tuple[str, ...] = ()) -> type[Section]:
    """The fields of the dataclass ``cls`` as a section, those named in ``leave_out`` left out.

    Raises UserError if pydantic cannot check the type of a field.
    """
    try:
        hints = get_type_hints(cls, include_extras=True)
        keys: dict[str, Any] = {
            field.name: (_listed(hints[field.name]), _default(field))
            for field in fields(cls)
            if field.name not in leave_out
        }
        return create_model(cls.__name__, __base__=Section, **keys)
    except Exception as error:  # pydantic and typing raise what they like
        reason = " ".join(str(error).split())
        raise UserError(
            f"{cls.__name__}: the type of a field cannot be checked: {reason}"
        ) from error


def validated(
    cls: type[Any], values: Mapping[str, object], where: str = "", leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """``values`` checked by the fields of ``cls`` (a dataclass or a section), defaults filled in.

    where: path of ``values`` in what the user wrote, for the message. leave_out: fields of a
    dataclass that are no keys here.

    Raises UserError: one line that names the first wrong key, its value and what is allowed.
    """
    section: type[BaseModel]
    section = cls if issubclass(cls, BaseModel) else section_of(cls, leave_out)  # type: ignore[arg-type]
    try:
        complete: dict[str, Any] = section.model_validate(dict(values)).model_dump()
    except ValidationError as error:
        raise first_error(error, section, values, where) from None
    _check_integers(complete, where)
    return complete


def _check_integers(value: Any, where: str) -> None:
    """UserError for an integer that no array or file can hold; a field need not say so."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_integers(inner, join(where, [key]))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check_integers(inner, join(where, [index]))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UserError(f"{where} is {shown(value)}; allowed: an integer of 64 bits")


def keyword_options(
    function: Callable[..., object],
    values: Mapping[str, object],
    where: str,
    leave_out: Iterable[str] = (),
) -> dict[str, Any]:
    """``values`` checked by the keyword-only parameters of ``function``; only those given.

    Raises UserError as `validated` does.
    """
    typed = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
    try:
        hints = get_type_hints(typed, include_extras=True)
        keys: dict[str, Any] = {
            name: (_listed(hints.get(name, Any)), parameter.default)
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in leave_out
        }
        section = create_model(function.__name__, __base__=Section, **keys)
    except Exception as error:  # pydantic and typing raise what they like
        reason = " ".join(str(error).split())
        raise UserError(f"{where}: the type of an option cannot be checked: {reason}") from error
    full = validated(section, values, where)
    return {name: full[name] for name in values}


def check_fields(instance: Any) -> None:
    """UserError unless every field of the dataclass ``instance`` has a value of its type and range.

    For ``__post_init__``. NumPy's numbers become Python's.
    """
    values = {field.name: _plain(getattr(instance, field.name)) for field in fields(instance)}
    validated(type(instance), values)
    for name, value in values.items():
        if value is not getattr(instance, name):
            object.__setattr__(instance, name, value)


def first_error(
    error: ValidationError, section: type[BaseModel], values: object, where: str
) -> UserError:
    """What ``error`` says of ``values``, as the one line that a user reads."""
    details = error.errors(include_url=False)
    # unknown keys first: a misspelt key explains one that is missing
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    first, value = _path(details[0], values)
    path = join(where, first)
    if _is_about_a_key(details[0], value):
        key = f"key {shown(details[0]['input'])} is no text; write it in quotes or rename it"
        return UserError(f"{path}: {key}" if path else key)
    same = [detail for detail in details if _path(detail, values)[0] == first]
    return UserError(_sentence(same, path, section, first))


def join(path: str, parts: Iterable[str | int]) -> str:
    """``path`` and what follows, as users write it; a key of odd letters in quotes.

    >>> join("networks", [0, "model"])
    'networks[0].model'
    """
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = part if re.fullmatch(r"[\w-]{1,60}", part, re.ASCII) else shown(part)
            path += f".{key}" if path else key
    return path


def _listed(hint: Any) -> Any:
    """``hint``, where a tuple may be given as the list that YAML knows."""
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return Annotated[hint, Strict(False)] if get_origin(plain) is tuple else hint


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    return ...


def _plain(value: Any) -> Any:
    return value.item() if type(value).__module__ == "numpy" and not value.shape else value


def _path(detail: ErrorDetails, values: object) -> tuple[tuple[str | int, ...], object]:
    """Where the error is, without what pydantic adds (a union's members), and what stands there.

    An error of a key is where the key's section is.
    """
    location = detail["loc"]
    if location[-1:] == ("[key]",):
        location = location[:-2]
    elif detail["type"] == "invalid_key":
        location = location[:-1]
    path: list[str | int] = []
    for place, part in enumerate(location):
        if isinstance(values, Mapping):
            if part not in values and place < len(location) - 1:
                continue
            path.append(part)
            values = values.get(part)
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            path.append(part)
            values = values[part]
    return tuple(path), values


def _is_about_a_key(detail: ErrorDetails, value: object) -> bool:
    # of a key that is no valid Unicode pydantic says no more than the section
    broken = detail["type"] == "string_unicode" and isinstance(value, Mapping)
    return detail["type"] == "invalid_key" or detail["loc"][-1:] == ("[key]",) or broken


def _sentence(
    details: list[ErrorDetails], where: str, section: type[BaseModel], path: tuple[str | int, ...]
) -> str:
    first = details[0]
    kind, given, context = first["type"], first["input"], first.get("ctx", {})
    if kind == "missing":
        return f"key {where} is missing"
    if kind == "extra_forbidden":
        allowed = ", ".join(sorted(_keys(section, path[:-1])))
        return f"{where} is {shown(given)}; allowed keys here: {allowed}"
    if kind in ("value_error", "assertion_error"):
        reason = " ".join(str(context["error"]).split())
        return f"{where or 'it'} is {shown(given)}; {reason}"
    if kind in ("too_short", "string_too_short"):
        return f"{where} is empty; at least {context['min_length']} is needed"
    return f"{where or 'it'} is {shown(given)}; allowed: {_allowed(details)}"


def _allowed(details: list[ErrorDetails]) -> str:
    """What is allowed, from one error or from those of all members of a union."""
    parts: list[str] = []
    for detail in details:
        kind, context = detail["type"], detail.get("ctx", {})
        if kind in _BOUNDS:
            key, sign = _BOUNDS[kind]
            part = f"{sign} {number(context[key])}"
        elif kind == "float_type" and type(detail["input"]) is int:
            part = "a number that a float can hold"
        elif kind in _TYPES:
            part = f"a value of type {_TYPES[kind]}"
        elif kind in ("literal_error", "enum"):
            names = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            part = ", ".join(sorted(names))
        elif kind == "finite_number":
            part = "a finite number"
        elif kind in ("string_too_long", "too_long"):
            what = "characters" if isinstance(detail["input"], str) else "entries"
            part = f"at most {context['max_length']} {what}"
        elif kind == "string_unicode":
            part = "text in Unicode, without halves of surrogate pairs"
        else:
            part = detail["msg"]
        if part not in parts:
            parts.append(part)
    return " or ".join(parts)


def number(bound: float) -> str:
    """``bound`` in few letters: whole numbers whole."""
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"


def _keys(section: Any, path: tuple[str | int, ...]) -> list[str]:
    """The keys of the section that lies at ``path`` below ``section``."""
    for part in path:
        if isinstance(part, str):
            section = _inner(section.model_fields[part].annotation)
    return list(section.model_fields)


def _inner(annotation: Any) -> Any:
    """The section in an annotation such as ``list[Network]`` or ``Data | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (inner := _inner(argument)) is not None:
            return inner
    return None


def named(what: str, names: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """A validator for names out of a catalog that plug-ins may add to."""

    def check(value: str) -> str:
        known = list(names())
        if value not in known:
            raise ValueError(f"allowed: {', '.join(sorted(known))}")
        return value

    check.__doc__ = f"The name of a {what}."
    return check


def matching(pattern: str, description: str) -> Callable[[str], str]:
    """A validator for text that matches the whole ``pattern``, which ``description`` explains."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"allowed: {description}")
        return value

    return check


class Unique:
    """Marks lists whose entries, numbers or texts, differ; 2 and 2.0 are the same.

    >>> seeds: Annotated[list[int], Unique()]
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def check(values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError("each entry is allowed once")
        return values

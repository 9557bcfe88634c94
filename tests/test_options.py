"""Options that describe themselves: what is allowed is said once, and one line says what is not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field

from graphprune.errors import UserError, one_of, shown
from graphprune.options import (
    Section,
    Unique,
    check_fields,
    join,
    keyword_options,
    matching,
    named,
    number,
    section_of,
    validated,
)


def even(value: int) -> int:
    if value % 2:
        raise ValueError("allowed: even numbers")
    return value


@dataclass(frozen=True)
class Options:
    power: Annotated[float, Field(gt=0, le=3)] = 1.0
    steps: Annotated[int, Field(ge=1)] = 10
    mode: Literal["fast", "slow"] = "fast"
    pairs: Annotated[int, AfterValidator(even)] = 2
    flag: bool | None = None
    sizes: tuple[int, ...] = (1, 2)
    names: list[str] = field(default_factory=list)
    limit: Literal["none"] | Annotated[float, Field(ge=0)] = "none"
    seeds: Annotated[list[int], Field(min_length=1, max_length=3), Unique()] = field(
        default_factory=lambda: [0]
    )

    def __post_init__(self) -> None:
        check_fields(self)


def refusal(values: Any, where: str = "") -> str:
    with pytest.raises(UserError) as caught:
        validated(Options, values, where)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_defaults_are_those_of_the_dataclass() -> None:
    assert validated(Options, {}) == vars(Options())
    assert validated(Options, {"steps": 3})["steps"] == 3
    assert "mode" not in validated(Options, {}, leave_out=("mode",))


def test_the_documented_example() -> None:
    with pytest.raises(UserError, match=r"^methods\.mine\.power is 0\.0; allowed: > 0$"):
        validated(Options, {"power": 0.0}, "methods.mine")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"power": 3.5}, "at.power is 3.5; allowed: <= 3"),
        ({"power": "1"}, "at.power is '1'; allowed: a value of type number"),
        ({"power": True}, "at.power is True; allowed: a value of type number"),
        ({"power": math.nan}, "at.power is nan; allowed: a finite number"),
        ({"power": math.inf}, "at.power is inf; allowed: a finite number"),
        ({"power": 10**400}, "allowed: a number that a float can hold"),
        ({"power": 10**5000}, "at.power is an integer of about 5000 digits; allowed: a number"),
        ({"steps": 1.0}, "at.steps is 1.0; allowed: a value of type integer"),
        ({"steps": True}, "at.steps is True; allowed: a value of type integer"),
        ({"steps": None}, "at.steps is None; allowed: a value of type integer"),
        ({"mode": "best"}, "at.mode is 'best'; allowed: fast, slow"),
        ({"mode": ["fast"]}, "at.mode is ['fast']; allowed: fast, slow"),
        ({"pairs": 3}, "at.pairs is 3; allowed: even numbers"),
        ({"flag": 0}, "at.flag is 0; allowed: a value of type boolean"),
        ({"sizes": 3}, "at.sizes is 3; allowed: a value of type array"),
        ({"sizes": [1, 2.0]}, "at.sizes[1] is 2.0; allowed: a value of type integer"),
        ({"names": [["a"]]}, "at.names[0] is ['a']; allowed: a value of type string"),
        ({"limit": "some"}, "at.limit is 'some'; allowed: none or a value of type number"),
        ({"limit": -1}, "at.limit is -1; allowed: none or >= 0"),
        ({"seeds": []}, "at.seeds is empty; at least 1 is needed"),
        ({"seeds": [1, 2, 3, 4]}, "at.seeds is [1, 2, 3, 4]; allowed: at most 3 entries"),
        ({"seeds": [1, 1]}, "at.seeds is [1, 1]; each entry is allowed once"),
        ({"step": 1}, "at.step is 1; allowed keys here: flag, limit, mode, names, pairs, power, "),
        ({"a.b": 1}, "at.'a.b' is 1; allowed keys here"),
        ({"a\nb": 1}, "at.'a\\nb' is 1; allowed keys here"),
        ({"": 1}, "at.'' is 1; allowed keys here"),
        ({3: 1}, "at: key 3 is no text; write it in quotes or rename it"),
        ({None: 1}, "at: key None is no text"),
        ({"\ud800": 1}, "at: key '\\ud800' is no text"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(values: Any, sentence: str) -> None:
    assert sentence in refusal(values, "at")


def test_an_unknown_key_is_named_before_what_else_is_wrong() -> None:
    assert refusal({"steps": 0, "step": 1}).startswith("step is 1; allowed keys here: ")


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.001, 3), st.integers(1, 100), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4)
)
def test_what_is_allowed_comes_back(power: float, steps: int, sizes: list[int]) -> None:
    taken = validated(Options, {"power": power, "steps": steps, "sizes": sizes})
    assert (taken["power"], taken["steps"], taken["sizes"]) == (power, steps, tuple(sizes))
    options = Options(**taken)
    assert validated(Options, vars(options)) == taken


def test_numpy_s_numbers_count_as_python_s() -> None:
    assert Options(power=np.float64(0.5), steps=np.int64(3)).steps == 3
    with pytest.raises(UserError, match=r"steps is 0; allowed: >= 1"):
        Options(steps=np.int64(0))
    with pytest.raises(UserError, match=r"steps is 2.0; allowed: a value of type integer"):
        Options(steps=np.float64(2.0))


def test_a_type_that_cannot_be_checked_is_named() -> None:
    @dataclass(frozen=True)
    class Odd:
        thing: NoSuchThing = None  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(UserError, match=r"Odd: the type of a field cannot be checked: .*NoSuch"):
        section_of(Odd)


def build(
    shape: tuple[int, ...],
    *,
    width: Annotated[int, Field(ge=1)] = 16,
    sizes: tuple[int, ...] = (),
    depth: int = 20,
) -> object:
    return shape, width, sizes, depth


class Built:
    def __init__(self, shape: tuple[int, ...], *, width: Annotated[int, Field(ge=1)] = 16) -> None:
        self.width = width


@pytest.mark.parametrize("function", [build, Built])
def test_keyword_options(function: Any) -> None:
    assert keyword_options(function, {}, "options") == {}
    assert keyword_options(function, {"width": 8}, "options") == {"width": 8}
    with pytest.raises(UserError, match=r"^options\.width is 0; allowed: >= 1$"):
        keyword_options(function, {"width": 0}, "options")
    with pytest.raises(UserError, match=r"^options\.shape is 1; allowed keys here: .*width$"):
        keyword_options(function, {"shape": 1}, "options")


def test_keyword_options_that_are_set_for_good_are_no_keys() -> None:
    assert keyword_options(build, {"sizes": [1]}, "options", ["depth"]) == {"sizes": (1,)}
    with pytest.raises(UserError, match="depth is 3; allowed keys here: sizes, width"):
        keyword_options(build, {"depth": 3}, "options", ["depth"])


def test_a_keyword_option_without_a_type_takes_anything() -> None:
    def untyped(*, thing=1):  # type: ignore[no-untyped-def]
        del thing

    for value in (2, "a", [None]):
        assert keyword_options(untyped, {"thing": value}, "options") == {"thing": value}


def test_keyword_options_whose_types_are_not_there() -> None:
    def odd(*, width: NoSuchThing = 1) -> None:  # type: ignore[name-defined] # noqa: F821
        del width

    with pytest.raises(UserError, match=r"options: the type of an option cannot be checked: .*NoS"):
        keyword_options(odd, {"width": 1}, "options")


def test_an_error_in_a_list_of_sections_is_placed_and_explained() -> None:
    class Inner(Section):
        a: int

    class Outer(Section):
        inner: list[Inner]
        maybe: Inner | None = None

    for values, sentence in (
        ({"inner": [{"a": 1}, {}]}, "key x.inner[1].a is missing"),
        ({"inner": [{"a": 1, "b": 2}]}, "x.inner[0].b is 2; allowed keys here: a"),
        ({"inner": [3]}, "x.inner[0] is 3; allowed: a value of type object"),
        ({"inner": [], "maybe": {"a": "1"}}, "x.maybe.a is '1'; allowed: a value of type integer"),
        ({"inner": [], "maybe": 1}, "x.maybe is 1; allowed: a value of type object"),
    ):
        with pytest.raises(UserError) as caught:
            validated(Outer, values, "x")
        assert str(caught.value) == sentence


def test_validators() -> None:
    check = named("thing", lambda: ["b", "a"])
    assert check("a") == "a"
    assert check.__doc__ == "The name of a thing."
    with pytest.raises(ValueError, match=r"^allowed: a, b$"):
        check("c")
    assert matching(r"[a-z]+", "letters")("ab") == "ab"
    for text in ("", "ab\n", "a1"):
        with pytest.raises(ValueError, match=r"^allowed: letters$"):
            matching(r"[a-z]+", "letters")(text)


def test_join_and_number() -> None:
    assert join("", ["networks", 0, "model"]) == "networks[0].model"
    assert join("a", ["b c", "d"]) == "a.'b c'.d"
    assert [number(bound) for bound in (1, 2.0, 0.5, 2**31, 1e12)] == [
        *("1", "2", "0.5", "2147483648", "1000000000000")
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        ("a\nb\x00\u2028", "'a\\nb\\x00\\u2028'"),
        ("\ud800", "'\\ud800'"),
        (10**5000, "an integer of about 5000 digits"),
        ([10**5000, 1], "[an integer of about 5000 digits, 1]"),
        ({"b": True, "a": None}, "{'a': None, 'b': True}"),
    ],
    ids=shown,
)
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text
    assert str(one_of("x", value, ["b", "a"])) == f"x is {text}; allowed: a, b"


def test_what_is_long_is_cut_and_what_is_deep_costs_nothing() -> None:
    assert shown("a" * 100, 20) == "'aaaaaaaa…aaaaaaaaa'"
    deep: Any = 0
    for _ in range(200):
        deep = [deep] * 9
    circle: list[Any] = []
    circle.append(circle)
    for value in ("x" * 10**6, "é" * 90, list(range(10**6)), deep, circle, {1: deep}, (deep,)):
        text = shown(value)
        assert len(text) <= 80
        assert text.isprintable()
    # both ends are there
    assert shown("first" + "." * 1000 + "last") == f"'first{'.' * 33}…{'.' * 35}last'"


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    ),
    st.integers(20, 200),
)
def test_anything_is_shown_on_one_line(value: object, length: int) -> None:
    text = shown(value, length)
    assert text.isprintable()
    assert len(text) <= length


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**5000], ids=["above", "below", "far"])
def test_an_integer_beyond_64_bits_is_refused_where_a_field_has_no_range(value: int) -> None:
    @dataclass(frozen=True)
    class Wide:
        steps: int = 1
        widths: list[int] = field(default_factory=list)

    assert validated(Wide, {"steps": 2**63 - 1})["steps"] == 2**63 - 1
    with pytest.raises(UserError, match=r"methods\.wide\.steps is .*; allowed: an integer of 64"):
        validated(Wide, {"steps": value}, "methods.wide")
    with pytest.raises(UserError, match=r"widths\[1\] is .*; allowed: an integer of 64 bits"):
        validated(Wide, {"widths": [1, value]})

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest

from velostream_nb.core.errors import BindError, ParseError
from velostream_nb.notebook.expand import expand, parameters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("trades", "trades"),
        (7, "7"),
        (2.5, "2.5"),
        (Decimal("1.10"), "1.10"),
        (True, "TRUE"),
        (np.int64(3), "3"),
        (np.float64(0.5), "0.5"),
    ],
)
def test_text_and_numbers_go_in_as_they_are(value: object, text: str) -> None:
    assert expand("FROM {{ x }} y", {"x": value}) == f"FROM {text} y"


def test_attributes_are_followed() -> None:
    assert expand("FROM {{config.topics.prices}}", {"config": SimpleNamespace(topics=SimpleNamespace(prices="p"))}) == (
        "FROM p"
    )


def test_braces_inside_strings_are_expanded_and_comments_are_not() -> None:
    text = "SELECT '{{s}}' -- not {{this}}\n/* nor {{that}} */"
    assert expand(text, {"s": "AAPL"}) == "SELECT 'AAPL' -- not {{this}}\n/* nor {{that}} */"


def test_what_is_expanded_is_not_expanded_again() -> None:
    assert expand("{{a}}", {"a": "{{b}}", "b": "no"}) == "{{b}}"


def test_single_braces_are_sql() -> None:
    assert expand("SELECT {'a': 1}", {}) == "SELECT {'a': 1}"


def test_an_unknown_name_has_its_place_and_near_names() -> None:
    with pytest.raises(BindError) as caught:
        expand("SELECT 1\nFROM {{tabel}}", {"table": "t", "other": 1})
    assert caught.value.hint == "did you mean table?"
    assert (caught.value.place.line, caught.value.place.column, caught.value.place.length) == (2, 6, 9)


def test_without_a_near_name_the_notebooks_variables_are_not_listed() -> None:
    with pytest.raises(BindError) as caught:
        expand("{{zzz}}", {"password": "p", "x": 1})
    assert caught.value.hint == "run a cell with zzz = … first"


@pytest.mark.parametrize("value", [None, [1, 2], {"a": 1}, object(), np.array([1, 2])])
def test_other_values_are_refused_by_type(value: object) -> None:
    with pytest.raises(BindError, match=rf"x is a {type(value).__name__}") as caught:
        expand("{{x}}", {"x": value})
    assert "$x" in caught.value.hint


def test_only_names_stand_between_braces() -> None:
    with pytest.raises(ParseError, match="is not a variable"):
        expand("{{x + 1}}", {"x": 1})
    with pytest.raises(ParseError, match="is not a variable"):
        expand("{{}}", {})


def test_a_missing_attribute_and_a_raising_property_are_our_errors() -> None:
    class Broken:
        @property
        def topic(self) -> str:
            raise RuntimeError("no network")

    with pytest.raises(BindError, match=r"config\.topc: AttributeError") as caught:
        expand("{{config.topc}}", {"config": SimpleNamespace(topic="t")})
    assert caught.value.hint == "did you mean topic?"
    with pytest.raises(BindError, match="RuntimeError: no network"):
        expand("{{b.topic}}", {"b": Broken()})


def test_parameters_keep_their_types_and_strings_are_left_alone() -> None:
    found = parameters("SELECT $a, '$b', $a -- $c", {"a": 1.5, "b": 2, "c": 3})
    assert found == {"a": 1.5}


def test_an_unknown_parameter_has_its_place() -> None:
    with pytest.raises(BindError, match=r"\$limt is not a variable") as caught:
        parameters("SELECT $limt", {"limit": 1})
    assert caught.value.hint == "did you mean limit?"
    assert caught.value.place.column == 8

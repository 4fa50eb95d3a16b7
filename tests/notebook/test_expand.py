import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError, ParseError
from velostream_nb.notebook.expand import expand, parameters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", "'it''s'"),
        (7, "7"),
        (-7, "(-7)"),
        (2.5, "2.5e0"),
        (Decimal("1.10"), "1.10"),
        (True, "TRUE"),
        (None, "NULL"),
        (np.int64(3), "3"),
        (np.float64(0.5), "0.5e0"),
        (pd.NaT, "NULL"),
        (dt.datetime(2026, 1, 2, 3), "CAST('2026-01-02 03:00:00' AS TIMESTAMP)"),
        (pd.Timestamp("2026-01-02"), "CAST('2026-01-02 00:00:00' AS TIMESTAMP)"),
        (dt.date(2026, 1, 2), "CAST('2026-01-02' AS DATE)"),
        (["a", "b'c"], "('a', 'b''c')"),
        ((1, None), "(1, NULL)"),
        ({"b", "a"}, "('a', 'b')"),
        (np.array([1, 2]), "(1, 2)"),
        (pd.Series(["x", "y"]), "('x', 'y')"),
        (pa.array([1, 2]), "(1, 2)"),
        ({"k": 1}.keys(), "('k')"),
        (range(3), "(0, 1, 2)"),
    ],
)
def test_values_go_in_as_literals(value: object, text: str) -> None:
    assert expand("x IN {{ x }} y", {"x": value}) == f"x IN {text} y"


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("FROM {{x:id}} t", "my-topic", 'FROM "my-topic" t'),
        ("FROM {{ x : ID }}", 'a"b', 'FROM "a""b"'),
        ("SELECT {{x:id}} FROM t", ["a", "b c"], 'SELECT "a", "b c" FROM t'),
        ("SELECT {{x:sql}} FROM t", "max(a) AS a", "SELECT max(a) AS a FROM t"),
        ("WHERE a > {{x:sql}}", 5, "WHERE a > 5"),
        ("SELECT 'pre {{x}} post'", "it's", "SELECT 'pre it''s post'"),
        ("SELECT 'pre {{x}} post'", 1.5, "SELECT 'pre 1.5 post'"),
        ('SELECT a AS "n {{x}}"', 'q"r', 'SELECT a AS "n q""r"'),
        ("SELECT E'a{{x}}z'", "b\\n'", "SELECT E'ab\\\\n''z'"),
        ("SELECT $$a{{x}}$$", "it's", "SELECT $$ait's$$"),
        ("WITH ('output.topic' = {{x}})", "out", "WITH ('output.topic' = 'out')"),
    ],
)
def test_forms_and_places(text: str, value: object, wanted: str) -> None:
    assert expand(text, {"x": value}) == wanted


def test_a_text_where_a_name_stands_is_refused_with_the_form_to_write() -> None:
    for text in ("SELECT * FROM {{x}}", "a JOIN {{x}} b", "INSERT INTO {{x}} VALUES (1)", "STOP JOB {{x}}"):
        with pytest.raises(BindError, match="stands a name") as caught:
            expand(text, {"x": "trades"})
        assert "{{x:id}}" in (caught.value.hint or "")
        assert caught.value.place is not None
        assert caught.value.place.column == text.index("{{") + 1


def test_a_value_cannot_end_its_quotes() -> None:
    with pytest.raises(BindError, match="ends this string"):
        expand("SELECT $q$a{{x}}$q$", {"x": "$q$ OR 1"})


def test_an_empty_list_and_a_name_that_is_none_are_refused() -> None:
    with pytest.raises(BindError, match="x is empty"):
        expand("a IN {{x}}", {"x": []})
    for value in ("", 7, None):
        with pytest.raises(BindError, match="cannot be a name"):
            expand("FROM {{x:id}}", {"x": value})


def test_an_unknown_form_has_near_ones() -> None:
    with pytest.raises(ParseError, match="'idd' is no form") as caught:
        expand("{{x:idd}}", {"x": 1})
    assert caught.value.hint == "did you mean id?"


def test_outside_of_sql_everything_is_text() -> None:
    assert expand("tail {{topic}} -n {{n}}", {"topic": "trades", "n": 5}, raw=True) == "tail trades -n 5"


def test_attributes_are_followed() -> None:
    config = SimpleNamespace(topics=SimpleNamespace(prices="p"))
    assert expand("FROM {{config.topics.prices:id}}", {"config": config}) == 'FROM "p"'


def test_braces_inside_strings_are_expanded_and_comments_are_not() -> None:
    text = "SELECT '{{s}}' -- not {{this}}\n/* nor {{that}} */"
    assert expand(text, {"s": "AAPL"}) == "SELECT 'AAPL' -- not {{this}}\n/* nor {{that}} */"


def test_what_is_expanded_is_not_expanded_again() -> None:
    assert expand("{{a}}", {"a": "{{b}}", "b": "no"}) == "'{{b}}'"


def test_single_braces_are_sql() -> None:
    assert expand("SELECT {'a': 1}", {}) == "SELECT {'a': 1}"


def test_an_unknown_name_has_its_place_and_near_names() -> None:
    with pytest.raises(BindError) as caught:
        expand("SELECT 1\nFROM {{tabel:id}}", {"table": "t", "other": 1})
    assert caught.value.hint == "did you mean table?"
    assert (caught.value.place.line, caught.value.place.column, caught.value.place.length) == (2, 6, 12)


def test_without_a_near_name_the_notebooks_variables_are_not_listed() -> None:
    with pytest.raises(BindError) as caught:
        expand("{{zzz}}", {"password": "p", "x": 1})
    assert caught.value.hint == "run a cell with zzz = … first"


@pytest.mark.parametrize("value", [{"a": 1}, object(), b"x"])
def test_other_values_are_refused_by_type(value: object) -> None:
    with pytest.raises(BindError, match=rf"x is a {type(value).__name__}") as caught:
        expand("{{x}}", {"x": value})
    assert "lists" in caught.value.hint


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

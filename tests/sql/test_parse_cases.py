"""The two case files: canonical forms and refusals. Add a case there; no Python is needed."""

from pathlib import Path
from typing import NamedTuple

import pytest

from velostream_nb.core import errors
from velostream_nb.sql.parse import parse, to_duckdb
from velostream_nb.sql.statements import Pull, Push


class Case(NamedTuple):
    name: str
    text: str
    wanted: str


def cases(file: str) -> list[Case]:
    found = []
    for paragraph in Path(__file__).with_name(file).read_text().split("\n-- ")[1:]:
        name, rest = paragraph.split("\n", 1)
        text, wanted = rest.split("\n--> ")
        found.append(Case(name, text, wanted.strip()))
    return found


def canonical(text: str) -> str:
    (statement,) = parse(text).statements
    assert isinstance(statement, Pull | Push)
    return to_duckdb(statement.query.tree)


@pytest.mark.parametrize("case", cases("parse_cases.sql"), ids=lambda c: c.name)
def test_canonical_form(case: Case) -> None:
    assert canonical(case.text) == case.wanted


@pytest.mark.parametrize("case", cases("parse_cases.sql"), ids=lambda c: c.name)
def test_canonical_form_parses_to_itself(case: Case) -> None:
    assert canonical(case.wanted) == case.wanted


@pytest.mark.parametrize("case", cases("error_cases.sql"), ids=lambda c: c.name)
def test_refusal_names_the_class_the_place_and_the_remedy(case: Case) -> None:
    kind, at, says = case.wanted.split(" ", 2)
    with pytest.raises(errors.SqlError) as caught:
        parse(case.text)
    error = caught.value
    assert type(error).__name__ == kind, error
    assert error.place is not None, error
    assert f"{error.place.line}:{error.place.column}" == at, error
    assert says in str(error)
    assert "^" in str(error)
    for leaked in ("sqlglot", "<class", "Token", "VELO_CLAUSE", "\x1b"):
        assert leaked not in str(error)

import doctest
import subprocess
import sys

import pytest
from sqlglot import exp

from velostream_nb.core.errors import Place
from velostream_nb.sql import durations
from velostream_nb.sql import parse as parse_module
from velostream_nb.sql.functions import WORDS, functions, names
from velostream_nb.sql.parse import node_place, parse
from velostream_nb.sql.statements import Pull, Query


def query(text: str) -> Query:
    statement = parse(text).statements[-1]
    assert isinstance(statement, Pull)
    return statement.query


def under(place: Place | None) -> str:
    """The text that a caret underlines."""
    assert place is not None
    line = place.text.splitlines()[place.line - 1]
    return line[place.column - 1 : place.column - 1 + place.length]


TEXT = """SHOW JOBS; -- a comment with timestamp()
SELECT m.price, $$x$$, 5m, -- more
       sum(volume)
FROM /* of */ market_data m
WHERE timestamp() > m.ts WINDOW TUMBLING(ts, 1m)
"""


@pytest.mark.parametrize(
    ("kind", "name", "text", "line"),
    [
        (exp.Column, "price", "m.price", 2),
        (exp.Column, "volume", "volume", 3),
        (exp.Sum, "", "sum(volume)", 3),
        (exp.Table, "market_data", "market_data m", 4),
        (exp.Column, "ts", "m.ts", 5),
        (exp.Anonymous, "VELO_NOW", "timestamp()", 5),
        (exp.Anonymous, "VELO_TUMBLE", "TUMBLING(ts, 1m)", 5),
    ],
)
def test_a_node_stands_where_the_user_wrote_it(kind: type[exp.Expr], name: str, text: str, line: int) -> None:
    made = query(TEXT)
    node = next(n for n in made.tree.find_all(kind) if n.name == name)
    place = node_place(node, made.source)
    assert place is not None
    assert place.line == line
    assert under(place).startswith(text)


def test_a_node_that_nobody_wrote_has_no_place() -> None:
    assert node_place(exp.column("x"), "SELECT x") is None
    assert node_place(query("SELECT a.b FROM a").tree.find(exp.Column) or exp.null(), "SE") is None


def test_examples_in_docstrings() -> None:
    for module in (durations, parse_module):
        outcome = doctest.testmod(module)
        assert outcome.attempted > 0
        assert outcome.failed == 0


def test_the_package_and_the_word_list_do_not_import_sqlglot() -> None:
    code = (
        "import sys, velostream_nb, velostream_nb.sql, velostream_nb.sql.functions, velostream_nb.sql.durations, "
        "velostream_nb.sql.split; sys.exit('sqlglot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_words_are_unique_and_help_is_one_line() -> None:
    assert len({word.name for word in WORDS}) == len(WORDS)
    assert list(names()) == sorted(names(), key=str.lower)
    assert all(word.help.endswith(".") and "\n" not in word.help and len(word.help) < 80 for word in WORDS)
    assert {"timestamp()", "TUMBLE", "window_start"} <= {word.name for word in functions()}
    assert "START JOB" not in {word.name for word in functions()}

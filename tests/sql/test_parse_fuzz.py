"""Any text gives a Script or one of our errors, never a hang; and what parses is written as it parses."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from velostream_nb.core.errors import SqlError
from velostream_nb.sql.parse import parse, to_duckdb
from velostream_nb.sql.statements import Pull, Push, Script, StartJob

HERE = Path(__file__).parent
SEEDS = [
    *(part.split("\n-->")[0] for file in ("parse_cases.sql", "error_cases.sql") for part in
      (HERE / file).read_text().split("\n\n")),
    *(HERE / "legacy.sql").read_text().split(";"),
]  # fmt: skip
WORDS = sorted(
    {word for seed in SEEDS for word in seed.replace("(", " ( ").replace(",", " , ").split()}
    | {";", "'", '"', "(", ")", "[", "]", "{", "}", ",", ".", "::", "->", "?", "$", "@", ":", "--", "/*", "*/", "$$"}
    | {"\x00", "\u00a0", "\u2028", "😀", "LATERAL", "PIVOT", "UNION", "VALUES", "CAST", "TIMESTAMP '", "E'"}
)
words = st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join)
starts = st.sampled_from(
    ["", "SELECT ", "SELECT a FROM s ", "START JOB j AS SELECT ", "CREATE STREAM s (a INT, ", "SET "]
)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A text that nearly parses: a seed with a few characters or words put in, or taken out."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 6))
        text = text[:at] + draw(st.sampled_from(["", "", " ", *WORDS])) + text[at + gone :]
    return text


def check(text: str) -> None:
    try:
        script = parse(text, params={"x": 1})
        for statement in script.statements:
            if isinstance(statement, Pull | Push | StartJob):
                written = to_duckdb(statement.query.tree)
                (again,) = parse(written).statements
                assert isinstance(again, Pull | Push)
                assert to_duckdb(again.query.tree) == written
    except SqlError as error:
        str(error)  # its place must be drawable
    else:
        assert isinstance(script, Script)


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    check(text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=2_000)
@given(starts, words)
def test_any_words(start: str, text: str) -> None:
    check(start + text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=2_000)
@given(changed())
def test_any_change_of_what_parses(text: str) -> None:
    check(text)

import pytest

from velostream_nb.core.errors import ConfigError
from velostream_nb.notebook.arguments import Options, add, at_least, split_words
from velostream_nb.notebook.magics import SQL_OPTIONS


@pytest.mark.parametrize(
    ("line", "words", "rest"),
    [
        ("-o df SELECT 1", ["-o", "df"], "SELECT 1"),
        ("--timeout \"5\" --wait SELECT 'a  b'", ["--timeout", "5", "--wait"], "SELECT 'a  b'"),
        ("--out=df SELECT -1", ["--out=df"], "SELECT -1"),
        ("SELECT 1 --wait", [], "SELECT 1 --wait"),
        ("-- a comment", [], "-- a comment"),
        ("", [], ""),
        ("--wait", ["--wait"], ""),
        ("-o", ["-o"], ""),
    ],
)
def test_leading_options_are_split_off_and_the_sql_is_not_touched(line: str, words: list[str], rest: str) -> None:
    assert SQL_OPTIONS.leading(line) == (words, rest)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--wiat"], "unknown option --wiat", "did you mean --wait"),
        (["-o"], "--out: expected one argument", "%%velo_sql"),
        (["-o", "1x"], "--out: '1x' cannot be the name", "%%velo_sql"),
        (["--timeout", "soon"], "--timeout: expected a number above zero, got 'soon'", "%%velo_sql"),
    ],
)
def test_errors_are_ours(words: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        SQL_OPTIONS.read(words)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert capsys.readouterr() == ("", "")


def test_numbers_below_the_least_and_words_too_many() -> None:
    parser = add(Options("%velo tail TOPIC"), "-n", type=at_least(1))
    for bad in ("0", "x", "1.5"):
        with pytest.raises(ConfigError, match="at least 1"):
            parser.read(["-n", bad])
    with pytest.raises(ConfigError, match="unexpected 'b'"):
        parser.read(["b"])


def test_an_open_quote_is_named() -> None:
    assert split_words("a 'b c'") == ["a", "b c"]
    with pytest.raises(ConfigError, match="no closing quotation"):
        split_words("a 'b")

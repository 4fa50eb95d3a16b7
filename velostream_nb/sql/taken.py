"""Names of functions that mean something to the parser already, so that nobody's own function can have them."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import Dialect

from velostream_nb.sql.functions import WORDS


@lru_cache(maxsize=1)
def parsed_names() -> frozenset[str]:
    """In lower case: those that the parser rewrites for DuckDB, and the words of streaming SQL."""
    parser = Dialect.get_or_raise("duckdb").parser_class
    known = {*parser.FUNCTIONS, *parser.FUNCTION_PARSERS, *parser.NO_PAREN_FUNCTION_PARSERS}
    ours = {word.name.partition("(")[0] for word in WORDS} | {"wall_clock", "velo_now", "now"}
    return frozenset(name.lower() for name in known | ours)

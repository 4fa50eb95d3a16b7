"""The words completion offers beside names: ours from `sql.functions`, and the everyday ones of DuckDB's SQL."""

from __future__ import annotations

from velostream_nb.sql.functions import WORDS

PHRASES = (
    "SELECT",
    "WITH",
    *(word.name for word in WORDS if word.kind == "statement"),
    *(word.name for word in WORDS if word.kind == "clause" and " " in word.name),
    *(word.name for word in WORDS if word.kind == "window" and " " in word.name),
    "GROUP BY",
    "ORDER BY",
    "PARTITION BY",
    "LEFT JOIN",
    "ROWS BETWEEN",
)
"""What begins a statement or a clause, most of it of several words."""

_KEYWORDS = (
    "SELECT FROM WHERE GROUP BY HAVING QUALIFY ORDER LIMIT AS WITH ON AND OR NOT IN IS NULL BETWEEN LIKE "
    "ILIKE CASE WHEN THEN ELSE END JOIN LEFT INNER ASOF USING UNION ALL DISTINCT OVER PARTITION ROWS "
    "RANGE PRECEDING FOLLOWING CURRENT ROW WINDOW INTERVAL SECOND MINUTE HOUR DAY CAST FILTER ASC DESC "
    "EMIT JOB STREAM INTO TRUE FALSE VALUES EXISTS "
)
_FUNCTIONS = (
    "abs any_value approx_count_distinct approx_quantile arg_max arg_min avg ceil coalesce concat count "
    "date_diff date_part date_trunc epoch_ms extract first first_value floor greatest ifnull lag last "
    "last_value lead least length list ln log10 lower max median min nullif percent_rank power "
    "quantile_cont rank regexp_matches replace round row_number sign sqrt stddev strftime string_agg "
    "substr sum trim upper var_samp "
)
"""DuckDB has some hundreds; these are the ones that queries over streams are made of."""

KEYWORDS = tuple(_KEYWORDS.split())

FUNCTIONS = (
    *(word.name for word in WORDS if word.kind in ("function", "column")),
    *(word.name for word in WORDS if word.kind == "window" and " " not in word.name),
    *_FUNCTIONS.split(),
)
"""Streaming functions first."""

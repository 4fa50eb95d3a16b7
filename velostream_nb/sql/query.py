"""One query: its clauses of ours split off (EMIT, WITH options), the rest read into a canonical tree."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.core.errors import ParseError, Place, UnsupportedError
from velostream_nb.sql.cursor import Cursor, is_word
from velostream_nb.sql.dialect import NOW, WALL, at_span, node_place, node_span, parse_edited, whole_number
from velostream_nb.sql.spellings import PLACEHOLDER_HINT, edit_query
from velostream_nb.sql.statements import Query
from velostream_nb.sql.windows import canonicalize_windows

QUERY_WORDS = ("SELECT", "WITH", "FROM", "VALUES", "(")
"""What a query begins with."""

_NOW_NODES = (exp.CurrentTimestamp, exp.Localtimestamp)
_WALL_CALLS = ("WALL_CLOCK", WALL)
_NOW_CALLS = ("GET_CURRENT_TIMESTAMP", "TRANSACTION_TIMESTAMP", "STATEMENT_TIMESTAMP", "NOW")
_RESERVED = (
    "SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "QUALIFY", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT",
    "JOIN", "ON", "USING", "WINDOW", "INTO",
)  # fmt: skip
_REFUSED: tuple[tuple[type[exp.Expr], str, str], ...] = (
    (exp.Into, "SELECT … INTO", "write INSERT INTO t SELECT …, or START JOB j AS SELECT …"),
    (exp.DML, "a statement that changes rows inside of a query", "write INSERT INTO t SELECT …"),
    (exp.Placeholder, "a placeholder of this spelling", PLACEHOLDER_HINT),
    (exp.Parameter, "a placeholder of this spelling", PLACEHOLDER_HINT),
    (exp.Lock, "FOR UPDATE", "leave it out: a stream's rows never change"),
)


@dataclass(frozen=True, slots=True)
class Tail:
    """What may follow a query.

    Attributes:
        options: of a WITH (…) after the query; None when there is none.
    """

    emit: str | None = None
    limit: int | None = None
    options: dict[str, str] | None = None


def read_query(cursor: Cursor) -> tuple[Query, Tail]:
    """The rest of a statement as a query and what follows it; the cursor is at the end after it.

    `Query.source` is the whole script, so that the places of its nodes are true in the user's text.

    Raises:
        ParseError: it cannot be read.
        BindError: a ``$name`` without a value.
        UnsupportedError: readable, and refused by name.
    """
    if not cursor.sees_any(QUERY_WORDS):
        raise cursor.error("expected a query (SELECT …)", hint="for example SELECT * FROM market_data")
    start, stop = _unwrapped(cursor, cursor.at, cursor.size)
    end = _tail_start(cursor, start, stop)
    if end == start:
        raise cursor.error("expected a query (SELECT …)", token=cursor.tokens[start])
    tail = _read_tail(cursor, end, stop)
    cursor.at = cursor.size
    tree = _as_query(parse_edited(edit_query(cursor, start, end)), cursor)
    source = cursor.text
    _refuse(tree, source)
    canonicalize_windows(tree, source)
    canonicalize_now(tree)
    limit = tail.limit
    if tail.emit is not None and limit is None:
        limit = _take_limit(tree)
    return Query(tree=tree, source=source, emit=tail.emit, limit=limit), tail


def read_expression(cursor: Cursor, *, what: str) -> exp.Expr:
    """One expression, up to the next comma outside of brackets or the statement's end; the cursor stands there.

    Its places are true in the user's text.

    Raises:
        ParseError: it cannot be read, or there is none.
        BindError: a ``$name`` without a value.
    """
    start, stop = cursor.at, cursor.at
    while stop < cursor.size and not is_word(cursor.tokens, stop, ","):
        stop = cursor.pairs.get(stop, stop) + 1
    if stop == start:
        raise cursor.error(f"expected {what}")
    edits = edit_query(cursor, start, stop)
    edits.replace(edits.start, edits.start, "SELECT")
    tree = parse_edited(edits)
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or set(_clauses(tree)) != {"expressions"}:
        raise ParseError(f"this cannot be {what}", place=cursor.place(cursor.tokens[start]))
    cursor.at = stop
    canonicalize_now(tree)
    found: exp.Expr = tree.expressions[0].unalias()
    return found


def _clauses(select: exp.Select) -> list[str]:
    return [name for name, value in select.args.items() if value]


def canonicalize_now(tree: exp.Expr) -> None:
    """Every word for the present becomes ``VELO_NOW()``; dates and times of day are casts of it.

    ``wall_clock()`` becomes ``VELO_WALL()``. An output column that is nothing but one of these gets a name (``now``,
    ``wall_clock``), because the call's own would be ours.
    """
    for node in list(tree.find_all(*_NOW_NODES, exp.CurrentDate, exp.CurrentTime, exp.Localtime, exp.Anonymous)):
        if isinstance(node, exp.Anonymous):
            if node.name.upper() not in (*_NOW_CALLS, *_WALL_CALLS, NOW) or node.expressions:
                continue
            new: exp.Expr = exp.Anonymous(this=WALL if node.name.upper() in _WALL_CALLS else NOW)
        elif isinstance(node, exp.CurrentDate):
            new = exp.cast(exp.Anonymous(this=NOW), "DATE")
        elif isinstance(node, exp.CurrentTime | exp.Localtime):
            new = exp.cast(exp.Anonymous(this=NOW), "TIME")
        else:
            new = exp.Anonymous(this=NOW)
        at_span(new, node_span(node))
        if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
            new = exp.alias_(new, "wall_clock" if new.name == WALL else "now")
        node.replace(new)


def topics_read(tree: exp.Query) -> tuple[str, ...]:
    """Names in FROM that no WITH part of the query defines, in order of appearance; table functions are none."""
    return tuple(dict.fromkeys(map(table_name, outer_tables(tree))))


def outer_tables(tree: exp.Expr) -> list[exp.Table]:
    """The items of FROM that name something outside of the query, in order of appearance; table functions are none."""
    tables = tree.find_all(exp.Table, bfs=False)
    return [table for table in tables if isinstance(table.this, exp.Identifier) and not _is_cte(table)]


def table_name(table: exp.Table) -> str:
    """The name as written, its parts joined by dots."""
    return ".".join(part.name for part in table.parts)


def output_place(query: Query, column: str) -> Place | None:
    """Where the outermost SELECT gives a column of that name; None when it is not written there (a star gives it)."""
    for item in query.tree.selects:
        if item.alias_or_name.lower() == column.lower():
            return node_place(item, query.source)
    return None


def _is_cte(table: exp.Table) -> bool:
    """Whether the table is a WITH part visible from where it stands: of an outer query, and written before it."""
    if table.args.get("db") is not None:
        return False
    below: exp.Expr = table
    for node in _ancestors(table):
        if isinstance(node, exp.With):
            ctes = node.expressions
            seen = ctes if node.args.get("recursive") else ctes[: next(i for i, c in enumerate(ctes) if c is below)]
        else:
            with_ = node.args.get("with_")
            seen = with_.expressions if isinstance(with_, exp.With) and with_ is not below else []
        if any(cte.alias.lower() == table.name.lower() for cte in seen):
            return True
        below = node
    return False


def _ancestors(node: exp.Expr) -> list[exp.Expr]:
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def _unwrapped(cursor: Cursor, start: int, stop: int) -> tuple[int, int]:
    """Without brackets around the whole: ``EXPLAIN (SELECT …)``."""
    while is_word(cursor.tokens, start, "(") and cursor.pairs[start] == stop - 1 and stop - start > 2:
        start, stop = start + 1, stop - 1
    return start, stop


def _tail_start(cursor: Cursor, start: int, stop: int) -> int:
    """Index of the first clause of ours after the query, outside of all brackets; `stop` when there is none."""
    tokens, at = cursor.tokens, start
    while at < stop:
        if is_word(tokens, at, "WITH") and is_word(tokens, at + 1, "("):
            return at
        if _is_emit(cursor, at, stop):
            return at
        close = cursor.pairs.get(at)
        if close is not None:
            _refuse_inner_emit(cursor, at, close)
        at = close + 1 if close is not None else at + 1
    return stop


def _is_emit(cursor: Cursor, at: int, stop: int) -> bool:
    """``EMIT CHANGES|FINAL`` where only clauses of ours can follow: elsewhere emit is somebody's column."""
    tokens = cursor.tokens
    if not (is_word(tokens, at, "EMIT") and is_word(tokens, at + 1, "CHANGES", "FINAL")):
        return False
    return at + 2 >= stop or is_word(tokens, at + 2, "LIMIT", "WITH", "EMIT")


def _refuse_inner_emit(cursor: Cursor, low: int, high: int) -> None:
    for at in range(low + 1, high - 1):
        ends = cursor.tokens[at + 2]
        emit = is_word(cursor.tokens, at, "EMIT") and is_word(cursor.tokens, at + 1, "CHANGES", "FINAL")
        if emit and ends.text in (")", "LIMIT") and not is_word(cursor.tokens, at - 1, "SELECT", ",", "."):
            place = cursor.place(cursor.tokens[at])
            raise ParseError("EMIT belongs to the outermost query", hint="write it last", place=place)


def _read_tail(cursor: Cursor, at: int, stop: int) -> Tail:
    emit: str | None = None
    limit: int | None = None
    options: dict[str, str] | None = None
    cursor.at = at
    while cursor.at < stop:
        token = cursor.peek()
        if emit is None and cursor.sees("EMIT"):
            cursor.next()
            emit = cursor.next().text.lower()
        elif limit is None and emit is not None and cursor.accept("LIMIT"):
            limit = _limit(cursor)
        elif options is None and cursor.accept("WITH"):
            options = cursor.options()
        else:
            hint = "a query ends with EMIT CHANGES [LIMIT n] and WITH ('key' = 'value'), each once"
            raise cursor.error("the query is over here", hint=hint, token=token)
    return Tail(emit, limit, options)


def _limit(cursor: Cursor) -> int:
    token = cursor.peek()
    value = cursor.option_value()
    if token.kind not in ("number", "param") or not value.isdecimal() or len(value) > 18:
        raise cursor.error("LIMIT takes a whole number", hint="for example LIMIT 10", token=token)
    return int(value)


def _take_limit(tree: exp.Query) -> int | None:
    """``LIMIT n EMIT CHANGES`` means the same as ``EMIT CHANGES LIMIT n``; with ORDER BY or OFFSET it is a Top-N."""
    limit = tree.args.get("limit")
    if not isinstance(limit, exp.Limit) or tree.args.get("order") or tree.args.get("offset"):
        return None
    number = whole_number(limit.expression)
    if number is not None:
        tree.set("limit", None)
    return number


def _as_query(tree: exp.Expr, cursor: Cursor) -> exp.Query:
    """A tree as exp.Select or exp.SetOperation: VALUES and brackets with clauses behind them become a SELECT."""
    if isinstance(tree, exp.Values):
        with_ = tree.args.get("with_")
        tree.set("with_", None)
        tree = exp.select("*").from_(tree)
        tree.set("with_", with_)
    while isinstance(tree, exp.Subquery):
        clauses = {key: value for key, value in tree.args.items() if key != "this" and value}
        inner = tree.this
        if not clauses:
            tree = inner
            continue
        tree = exp.select("*").from_(exp.Subquery(this=inner))
        for key, value in clauses.items():
            tree.set(key, value)
    for kind, what, hint in _REFUSED:
        if isinstance(tree, kind):
            raise UnsupportedError(f"{what} is not supported", hint=hint, place=node_place(tree, cursor.text))
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise ParseError("this is not a query", hint="a query begins with SELECT, WITH or FROM", place=cursor.place())
    return tree


def _refuse(tree: exp.Query, source: str) -> None:
    """What sqlglot reads and DuckDB does not, or what no query of ours may do."""
    for kind, what, hint in _REFUSED:
        for node in tree.find_all(kind):
            place = node_place(node, source) or node_place(node.parent or node, source)
            raise UnsupportedError(f"{what} is not supported", hint=hint, place=place)
    for command in tree.find_all(exp.Command):
        raise ParseError("this cannot be read as SQL", place=node_place(command, source))
    for bare in tree.find_all(exp.Abs):
        if bare.this is None:
            raise ParseError("something is missing after @", place=node_place(bare.parent or bare, source))
    for group in tree.find_all(exp.Group):
        if not any(group.args.values()):
            raise ParseError("GROUP BY groups by nothing", place=node_place(group.parent or group, source))
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise ParseError("SELECT selects nothing", hint="write SELECT *", place=node_place(select, source))
        for lateral in select.args.get("laterals") or []:
            raise ParseError("LATERAL follows a comma or JOIN", place=node_place(lateral, source))
    for alias in tree.find_all(exp.TableAlias):
        name = alias.this
        if isinstance(name, exp.Identifier) and not name.quoted and name.name.upper() in _RESERVED:
            raise ParseError(f"did not expect {name.name!r} here", place=node_place(name, source))

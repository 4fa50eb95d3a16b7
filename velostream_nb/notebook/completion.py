"""Completion inside ``%%velo_sql`` cells and after ``%velo``: keywords, topics, columns, functions, jobs.

What may stand at the cursor is guessed from the words before it; nothing is parsed, because a text one is still
writing hardly ever is correct.
"""

# IPython's decorators have no types
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from velostream_nb.core.model import SessionLike
from velostream_nb.core.settings import SETTINGS
from velostream_nb.notebook.magics import SQL_OPTIONS
from velostream_nb.notebook.names import Names, Snapshot
from velostream_nb.notebook.verbs import VERBS
from velostream_nb.notebook.words import FUNCTIONS, KEYWORDS, PHRASES
from velostream_nb.sql.parse import SHOWS

logger = logging.getLogger(__name__)

_CELL = re.compile(r"\s*%%velo(?:_sql)?\b[^\n]*")
_LINE = re.compile(r"^\s*(?:[^\W\d]\w*\s*=\s*)?%velo(?P<sql>_sql)?[ \t]+(?P<rest>.*)$")
_TOKEN = re.compile(r"(?P<path>(?:[^\W\d]\w*\.)*)(?P<part>\w*)$")
_WORDS = re.compile(r"'(?:[^']|'')*'?|--[^\n]*|\"[^\"]*\"?|[^\W\d]\w*|;|\(|\)|,|\S")
_OPTION = re.compile(r"\bWITH\s*\((?:(?:[^()']|'[^']*')*,)?\s*'(?P<part>[\w.]*)$", re.IGNORECASE)
_TOPIC_AFTER = frozenset({"FROM", "JOIN", "INTO", "DESCRIBE", "DESC", "TABLE"})
_JOB_ACTIONS = frozenset({"STOP", "PAUSE", "RESUME", "RESTART", "DROP", "EXPLAIN", "ANALYZE", "ALTER", "DESCRIBE"})
_NO_ALIAS = frozenset({*KEYWORDS, "TUMBLING", "SLIDING", "EMIT", "ASOF", "QUALIFY", "WINDOW"})
_ATTRIBUTE = "_velo_matcher"


class Option(NamedTuple):
    """One thing to insert; `kind` is shown beside it in the menu."""

    text: str
    kind: str


class Found(NamedTuple):
    """What may stand at the cursor in place of `part`, the characters just before it."""

    options: list[Option]
    part: str


NOTHING = Found([], "")


def complete(code: str, line: int, column: int, names: Callable[[], Names]) -> Found:
    """What fits at a place of a cell.

    Args:
        code: the whole cell.
        line, column: of the cursor, both counted from 0.
        names: looks at the session; called only in cells of ours.
    """
    lines = code.split("\n")
    before = lines[line][:column]
    if (magic := _LINE.match(before)) is not None:
        if magic["sql"]:
            return _in_sql(magic["rest"], "", names())
        return _after_velo(magic["rest"], names())
    head = _CELL.match(code)
    if head is None:
        return NOTHING
    start = sum(len(each) + 1 for each in lines[:line])
    at = start + column
    if at <= head.end():
        return _magic_options(before)
    return _in_sql(code[head.end() : at], code[at:], names())


def install_completion(ip: Any, session: Callable[[], SessionLike | None]) -> None:
    """Add the matcher to a shell's completer, in place of an earlier one."""
    remove_completion(ip)
    snapshot = Snapshot(session)

    # first of all matchers: with something of ours to offer, Python's need not be asked
    @context_matcher(priority=1_000, identifier="velostream_nb")
    def velo_matcher(context: CompletionContext) -> SimpleMatcherResult:
        try:
            found = complete(context.full_text, context.cursor_line, context.cursor_position, snapshot.names)
        except Exception:
            logger.debug("completion", exc_info=True)  # a missing menu is better than a traceback while typing
            found = NOTHING
        options = [SimpleCompletion(text=option.text, type=option.kind) for option in found.options]
        return SimpleMatcherResult(completions=options, matched_fragment=found.part, suppress=bool(options))

    setattr(ip.Completer, _ATTRIBUTE, velo_matcher)
    ip.Completer.custom_matchers.append(velo_matcher)


def remove_completion(ip: Any) -> None:
    """Take the matcher off again, if it is there."""
    matcher = getattr(ip.Completer, _ATTRIBUTE, None)
    if matcher in ip.Completer.custom_matchers:
        ip.Completer.custom_matchers.remove(matcher)


# -- in SQL ---------------------------------------------------------------------------------------------------------


def _in_sql(before: str, after: str, names: Names) -> Found:
    if (option := _OPTION.search(before)) is not None:
        return _matching(option["part"], [Option(setting.name, "option") for setting in SETTINGS])
    words = _WORDS.findall(before)
    if words and (words[-1].startswith("--") or _inside_string(words[-1], before)):
        return NOTHING
    token = _TOKEN.search(before)
    assert token is not None  # it matches the empty text
    path, part = token["path"], token["part"]
    words = _WORDS.findall(before[: token.start()])
    statement = _last_statement(words)
    used = _topics_used([*statement, *_first_statement(_WORDS.findall(after))], names)
    if path:
        topic = used.get(path[:-1].lower(), path[:-1])
        return _matching(part, [Option(name, kind.lower()) for name, kind in names.columns(topic).items()])
    return _matching(part, _at_word(statement, used, names, part))


def _at_word(statement: list[str], used: dict[str, str], names: Names, part: str) -> Iterable[Option]:
    last = statement[-1].upper() if statement else ""
    before_last = statement[-2].upper() if len(statement) > 1 else ""
    if last in _TOPIC_AFTER or (last == "," and _in_from(statement)):
        return [Option(name, "topic") for name in names.topics]
    if last == "JOB" and before_last in _JOB_ACTIONS:
        return [Option(name, "job") for name in names.jobs]
    if last == "SHOW":
        return _cased(part, [Option(word, "keyword") for word in SHOWS])
    if not statement:
        return _cased(part, [Option(phrase, "keyword") for phrase in PHRASES])
    columns = {name: kind for topic in used.values() for name, kind in names.columns(topic).items()}
    aliases = [name for name in used if name not in columns]
    words = [Option(word, "keyword") for word in (*KEYWORDS, *(p for p in PHRASES if " " in p))]
    return [
        *(Option(name, kind.lower()) for name, kind in columns.items()),
        *(Option(name, "alias") for name in aliases),
        *_cased(part, [*(Option(name, "function") for name in FUNCTIONS), *words]),
    ]


def _last_statement(words: list[str]) -> list[str]:
    words = [word for word in words if not word.startswith("--")]
    return words[len(words) - words[::-1].index(";") :] if ";" in words else words


def _first_statement(words: list[str]) -> list[str]:
    words = [word for word in words if not word.startswith("--")]
    return words[: words.index(";")] if ";" in words else words


def _topics_used(statement: list[str], names: Names) -> dict[str, str]:
    """The topics after FROM and JOIN by what they may be called: their own name and their alias, lower case."""
    known = {name.lower(): name for name in names.topics}
    used: dict[str, str] = {}
    for index, word in enumerate(statement[:-1]):
        topic = known.get(statement[index + 1].strip('"').lower())
        if topic is None or not (word.upper() in ("FROM", "JOIN") or word == ","):
            continue
        rest = statement[index + 2 : index + 4]
        alias = rest[1] if len(rest) > 1 and rest[0].upper() == "AS" else rest[0] if rest else ""
        named = alias if alias.isidentifier() and alias.upper() not in _NO_ALIAS else topic
        used[named.lower()] = topic
        used.setdefault(topic.lower(), topic)
    return used


def _in_from(statement: list[str]) -> bool:
    """Is the innermost clause at the end a FROM? A comma then goes on with another topic."""
    for word in reversed(statement):
        if word.upper() in ("SELECT", "WHERE", "BY", "ON", "("):
            return False
        if word.upper() == "FROM":
            return True
    return False


def _inside_string(last: str, before: str) -> bool:
    return last[:1] in "'\"" and before.endswith(last) and (len(last) == 1 or last[-1] != last[0])


# -- after the magics -----------------------------------------------------------------------------------------------


def _after_velo(rest: str, names: Names) -> Found:
    words = rest.split()
    part = "" if rest[-1:].isspace() or not words else words.pop()
    if not words:
        return _matching(part, [Option(verb, "command") for verb in VERBS])
    name = words[0].lower()
    if name == "sql":
        return _in_sql(rest.split(None, 1)[1] if len(rest.split(None, 1)) > 1 else "", "", names)
    if name not in VERBS:
        return NOTHING
    return _matching(part, _arguments(name, words, names))


def _arguments(verb: str, words: list[str], names: Names) -> list[Option]:
    """What may follow a verb and the words after it."""
    flags = [Option(flag, "option") for flag in re.findall(r"\[(--?\w+)", VERBS[verb].usage)]
    jobs = [Option(name, "job") for name in names.jobs]
    topics = [Option(name, "topic") for name in names.topics]
    if verb == "help":
        return [Option(name, "command") for name in VERBS]
    if verb == "market":
        return [*(Option(word, "command") for word in ("start", "stop", "status")), *flags]
    if words[-1] in ("--x", "--y", "--by") and len(words) > 1:
        return [Option(name, kind.lower()) for name, kind in names.columns(words[1]).items()]
    if VERBS[verb].takes == "job":
        return [option for option in jobs if option.text not in words[1:]]
    if verb == "describe":
        return [*topics, *jobs] if len(words) == 1 else []
    return [*(topics if len(words) == 1 else []), *flags] if VERBS[verb].takes == "topic" else flags


def _magic_options(before: str) -> Found:
    part = re.search(r"(?<!\S)-[\w-]*$", before)
    return NOTHING if part is None else _matching(part.group(), [Option(flag, "option") for flag in SQL_OPTIONS.flags])


def _matching(part: str, options: Iterable[Option]) -> Found:
    """The options that begin with `part`, in any case, each once and in the order given."""
    folded = part.lower()
    fits = {option.text: option for option in options if option.text.lower().startswith(folded)}
    return Found(list(fits.values()), part)


def _cased(part: str, options: Iterable[Option]) -> list[Option]:
    """Keywords as the user writes them: lower case when what is typed is."""
    if not part or not part.islower():
        return list(options)
    return [Option(option.text.lower(), option.kind) for option in options]

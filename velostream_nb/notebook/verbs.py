"""What ``%velo`` can do: one function a verb, one table of them for dispatch, help and completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from IPython.display import display

from velostream_nb.core.errors import ConfigError, did_you_mean
from velostream_nb.core.model import JobInfo, SessionLike
from velostream_nb.notebook.arguments import Options, add, at_least, positive, split_words, unquote
from velostream_nb.notebook.default import DefaultSession
from velostream_nb.notebook.expand import parameters
from velostream_nb.notebook.market import DEFAULT_SPEED, current_market, market
from velostream_nb.notebook.names import topic_of
from velostream_nb.notebook.plan import Plan
from velostream_nb.notebook.rows import Rows
from velostream_nb.notebook.show import Line, in_kernel, show_job
from velostream_nb.sql.lex import scan
from velostream_nb.widgets.chart import LiveChart
from velostream_nb.widgets.table import LiveTable

TAIL_ROWS = 20


@dataclass(frozen=True, slots=True)
class Context:
    """What a verb may use.

    Attributes:
        run_sql: runs SQL with the options of ``%%velo_sql`` and shows what it did.
        namespace: the user's variables.
    """

    sessions: DefaultSession
    run_sql: Callable[[str], None]
    namespace: Mapping[str, object]
    max_rows: int


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: `run` gets the rest of the line; what it returns is the value of the magic, None for nothing."""

    usage: str
    help: str
    run: Callable[[Context, str], Any]
    takes: str = ""
    """What completion offers after it: 'job', 'topic' or ''."""


def run_verb(context: Context, line: str) -> Any:
    """Carry out one line after ``%velo``; an empty one is ``help``.

    Raises:
        ConfigError: no such verb (with near names), or arguments that do not fit.
        VeloError: whatever the verb meets.
    """
    name, _, rest = line.strip().partition(" ")
    verb = VERBS.get((name or "help").lower())
    if verb is None:
        hint = did_you_mean(name, VERBS) or "see %velo help"
        raise ConfigError(f"unknown command: %velo {name}", hint=f"{hint} (SQL goes after %velo_sql)")
    return verb.run(context, rest.strip())


# -- jobs -----------------------------------------------------------------------------------------------------------


def _jobs(context: Context, line: str) -> None:
    Options("%velo jobs").read(split_words(line))
    jobs = context.sessions.get().jobs()
    if not jobs:
        display(Line("no jobs yet: %%velo_sql with START JOB name AS SELECT … starts one"))
        return
    display(Rows(jobs_table(jobs), _counted(jobs), limit=len(jobs), whole=True))


def jobs_table(jobs: list[JobInfo]) -> pa.Table:
    """One row a job, as ``%velo jobs`` shows it; late rows, rejected rows and errors only where there are any."""
    columns: dict[str, list[Any]] = {
        "job": [job.name for job in jobs],
        "state": [job.state.value for job in jobs],
        "from": [", ".join(job.inputs) for job in jobs],
        "to": [job.output for job in jobs],
        "in": [job.rows_in for job in jobs],
        "out": [job.rows_out for job in jobs],
        "rows/s": [round(job.rate) for job in jobs],
        "waiting": [job.lag_rows for job in jobs],
    }
    faults: dict[str, list[Any]] = {
        "late": [job.late for job in jobs],
        "rejected": [job.failed for job in jobs],
        "error": [job.error or "" for job in jobs],
    }
    return pa.table({**columns, **{name: values for name, values in faults.items() if any(values)}})


def _counted(jobs: list[JobInfo]) -> str:
    states = [job.state.value for job in jobs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}: {counts}"


def _act(action: str) -> Callable[[Context, str], None]:
    """The verb that does `action` to the jobs it names."""

    def run(context: Context, line: str) -> None:
        parser = add(Options(f"%velo {action} JOB …"), "job", nargs="+")
        session = context.sessions.get()
        # all names are looked up before any job is touched
        infos = [session.job_info(name) for name in parser.read(split_words(line)).job]
        for info in infos:
            done = session.control(info.name, action)
            state = "dropped; its topic stays" if action == "drop" else done.state.value
            display(Line(f"job {info.name} is {state}"))

    return run


def _card(context: Context, line: str) -> None:
    parser = add(Options("%velo show JOB …"), "job", nargs="+")
    session = context.sessions.get()
    for info in [session.job_info(name) for name in parser.read(split_words(line)).job]:
        show_job(session, info.name)


# -- topics ---------------------------------------------------------------------------------------------------------


def _topics(context: Context, line: str) -> None:
    Options("%velo topics").read(split_words(line))
    topics = context.sessions.get().topics()
    if not topics:
        display(Line("no topics yet: s.produce(topic, rows) makes one, and so does %velo market start"))
        return
    table = pa.table(
        {
            "topic": [t.name for t in topics],
            "rows": pa.array([t.rows for t in topics], pa.int64()),
            "ever": pa.array([t.latest for t in topics], pa.int64()),
            "KB": pa.array([-(-t.bytes // 1024) for t in topics], pa.int64()),
            "columns": [", ".join(t.columns) or "(not known before the first look)" for t in topics],
        }
    )
    count = f"{len(topics)} {'topic' if len(topics) == 1 else 'topics'}"
    display(Rows(table, count, limit=len(topics), whole=True))


def _describe(context: Context, line: str) -> None:
    name = add(Options("%velo describe STREAM|TOPIC|JOB"), "name").read(split_words(line)).name
    result = context.sessions.get().sql(f'DESCRIBE "{name.replace(chr(34), "")}"')[0]
    assert result.table is not None  # DESCRIBE gives rows
    display(Rows(result.table, result.message, limit=context.max_rows, whole=result.job is not None))


def _tail(context: Context, line: str) -> None:
    parser = add(Options("%velo tail TOPIC [-n ROWS] [-f]"), "topic")
    add(parser, "-n", "--rows", type=at_least(1), default=TAIL_ROWS)
    add(parser, "-f", "--follow", action="store_true")
    asked = parser.read(split_words(line))
    session = context.sessions.get()
    topic = topic_of(session, asked.topic)
    if asked.follow and in_kernel():
        display(LiveTable(session, topic, rows=asked.rows))
        return
    frame = session.frames({topic: None}, limit=asked.rows)[topic]
    rows = "row" if frame.rows.num_rows == 1 else "rows"
    display(Rows(frame.rows, f"newest {frame.rows.num_rows} {rows} of {frame.total:,}", limit=asked.rows))


def _chart(context: Context, line: str) -> None:
    parser = add(Options("%velo chart TOPIC [--x TIME] [--y VALUE] [--by SERIES]"), "topic")
    for name in ("--x", "--y", "--by"):
        add(parser, name, default=None)
    asked = parser.read(split_words(line))
    session = context.sessions.get()
    show_chart(session, topic_of(session, asked.topic), x=asked.x, y=asked.y, by=asked.by)


def show_chart(
    session: SessionLike, topic: str, *, x: str | None = None, y: str | None = None, by: str | None = None
) -> None:
    """Display a live chart of a topic; a line of text where no widget can live."""
    if in_kernel():
        display(LiveChart(session, topic, x, y, by))
    else:
        display(Line(f"a chart of {topic} needs a notebook; here: %velo tail {topic}"))


# -- the rest -------------------------------------------------------------------------------------------------------


def _explain(context: Context, line: str) -> None:
    if not line:
        raise ConfigError("nothing to explain", hint="%velo explain JOB, or %velo explain SELECT …")
    session = context.sessions.get()
    text = f'EXPLAIN JOB "{unquote(line)}"' if len(scan(line).tokens) == 1 else f"EXPLAIN {line}"
    result = session.sql(text, params=parameters(text, context.namespace))[0]
    assert result.table is not None  # EXPLAIN gives rows
    display(Plan(result.table, result.message, limit=result.table.num_rows))


def _sql(context: Context, line: str) -> None:
    context.run_sql(line)


def _connect(context: Context, line: str) -> None:
    parser = add(Options("%velo connect [URL] [--token TOKEN]"), "url", nargs="?")
    add(parser, "--token", default=None)
    asked = parser.read(split_words(line))
    before = context.sessions.peek()
    left = [job.name for job in before.jobs() if job.state.value in ("running", "paused")] if before else []
    embedded = before is not None and not hasattr(before, "url")
    session = context.sessions.connect(asked.url, asked.token)
    ended = f"; the session before it is closed, and with it {', '.join(left)}" if left and embedded else ""
    where = f"the server at {session.url}" if hasattr(session, "url") else "a new embedded session"
    count = len(session.jobs())
    display(Line(f"connected to {where}, {count} {'job' if count == 1 else 'jobs'} there{ended}"))


def _session(context: Context, line: str) -> Any:
    Options("%velo session").read(split_words(line))
    return context.sessions.get()


def _market(context: Context, line: str) -> None:
    parser = add(Options(MARKET_USAGE), "action", nargs="?", choices=("start", "stop", "status"), default="status")
    add(parser, "--scenario", default="mixed")
    add(parser, "--speed", type=positive, default=DEFAULT_SPEED)
    add(parser, "--seed", type=at_least(0), default=42)
    asked = parser.read(split_words(line))
    session = context.sessions.get()
    if asked.action == "start":
        started = market(session, asked.scenario, speed=asked.speed, seed=asked.seed)
        display(Line(f"{started!r}; topics market_data, order_book_updates, trading_positions"))
        return
    known = current_market(session)
    if known is not None and asked.action == "stop":
        known.stop()
    display(Line(repr(known) if known else "no market runs here: %velo market start"))


def _help(_context: Context, line: str) -> None:
    if line:
        verb = VERBS.get(line.split()[0].lower())
        if verb is None:
            raise ConfigError(f"no help on {line!r}", hint=did_you_mean(line, VERBS) or "see %velo help")
        display(Line(f"{verb.usage}\n{verb.help}"))
        return
    lines = [("%%velo_sql", "run the SQL of this cell; %%velo_sql? shows its options")]
    lines += [(verb.usage, verb.help) for verb in VERBS.values()]
    table = pa.table({"write": [usage for usage, _ in lines], "to": [text for _, text in lines]})
    display(Rows(table, "more: %velo help COMMAND, SHOW FUNCTIONS", limit=len(lines), whole=True))


MARKET_USAGE = "%velo market [start|stop] [--scenario NAME] [--speed X] [--seed N]"

VERBS: Mapping[str, Verb] = {
    "jobs": Verb("%velo jobs", "list the jobs", _jobs),
    "show": Verb("%velo show JOB …", "show the live card of a job", _card, "job"),
    "stop": Verb("%velo stop JOB …", "end a job; its output stays", _act("stop"), "job"),
    "pause": Verb("%velo pause JOB …", "hold a job where it is", _act("pause"), "job"),
    "resume": Verb("%velo resume JOB …", "let a paused job go on", _act("resume"), "job"),
    "restart": Verb("%velo restart JOB …", "begin a job anew, with no state", _act("restart"), "job"),
    "drop": Verb("%velo drop JOB …", "end a job and forget it", _act("drop"), "job"),
    "topics": Verb("%velo topics", "list the topics", _topics),
    "describe": Verb("%velo describe NAME", "columns of a stream or topic, or what a job does", _describe, "topic"),
    "tail": Verb("%velo tail TOPIC [-n ROWS] [-f]", "the newest rows; -f goes on showing them", _tail, "topic"),
    "chart": Verb("%velo chart TOPIC [--x TIME] [--y VALUE] [--by SERIES]", "a live chart", _chart, "topic"),
    "explain": Verb("%velo explain JOB|SELECT …", "the plan of a job or query", _explain, "job"),
    "sql": Verb("%velo sql STATEMENT", "run one line of SQL", _sql),
    "market": Verb(MARKET_USAGE, "a simulated market in this session's topics", _market),
    "session": Verb("s = %velo session", "the session behind the magics, for Python", _session),
    "connect": Verb("%velo connect [URL] [--token TOKEN]", "use a server; without URL a new session here", _connect),
    "help": Verb("%velo help [COMMAND]", "this list", _help),
}

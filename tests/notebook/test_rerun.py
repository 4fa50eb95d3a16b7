from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.core.errors import ParseError
from velostream_nb.core.model import JobInfo, JobState
from velostream_nb.notebook.rerun import Action, Edited, History, Step, decide, edit
from velostream_nb.sql.lex import place_at
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import StartJob


def running(name: str, sql: str, *, started_us: int = 1, state: JobState = JobState.RUNNING, **params: str) -> JobInfo:
    return JobInfo(name, sql, state, ("trades",), name, started_us=started_us, params=params)


def actions(text: str, *jobs: JobInfo, history: History | None = None, **params: object) -> list[Action]:
    return [step.action for step in decide(parse(text, params=params), jobs, history or History())]


def test_comments_white_space_and_a_semicolon_do_not_make_another_text() -> None:
    job = running("j", "START JOB j AS SELECT a FROM t")
    assert actions("START JOB j AS -- now\n  SELECT a\nFROM t;", job) == [Action.ATTACH]
    assert actions("start job j AS SELECT a FROM t", job) == [Action.ATTACH]
    assert actions("CREATE STREAM j AS SELECT a FROM t", job) == [Action.ATTACH]
    assert actions("START JOB j AS SELECT A FROM t", job) == [Action.REPLACE], "case of a name is part of the answer"
    assert actions("START JOB j AS SELECT 'a ' FROM t", running("j", "START JOB j AS SELECT 'a' FROM t")) == [
        Action.REPLACE
    ]


def test_jobs_that_are_over_are_started_anew() -> None:
    text = "START JOB j AS SELECT a FROM t"
    for state in (JobState.STOPPED, JobState.FAILED, JobState.FINISHED):
        assert actions(text, running("j", text, state=state)) == [Action.RUN]
    assert actions(text, running("j", text, state=JobState.PAUSED)) == [Action.ATTACH]


def test_an_explicit_or_replace_is_the_sessions_business() -> None:
    text = "CREATE OR REPLACE STREAM j AS SELECT a FROM t"
    assert actions(text, running("j", text)) == [Action.RUN]


def test_the_values_of_parameters_are_part_of_what_was_asked() -> None:
    text = "START JOB j AS SELECT a FROM t WHERE a > $low"
    job = running("j", text, low="1")
    assert actions(text, job, low=1) == [Action.ATTACH]
    assert actions(text, job, low=2) == [Action.REPLACE]
    assert actions(text, job, low="1") == [Action.REPLACE]
    assert actions(text, running("j", text, low="2"), low=1) == [Action.REPLACE], "ALTER JOB has changed it meanwhile"


def test_the_text_of_a_replacement_is_known_to_who_edited_it() -> None:
    text, edited = "INSERT INTO t SELECT a FROM s", 'CREATE OR REPLACE STREAM "insert_into_t" AS SELECT a FROM s'
    job, history = running("insert_into_t", edited), History()
    (statement,) = parse(text).statements
    assert actions(text, job) == [Action.RUN]
    history.note(job, statement)
    assert actions(text, job, history=history) == [Action.ATTACH]
    later = running("insert_into_t", edited, started_us=2)
    assert actions(text, later, history=history) == [Action.RUN], "somebody has started it anew meanwhile"


def test_an_insert_meets_its_twin_or_what_its_cell_had_started() -> None:
    big, small = "INSERT INTO t SELECT a FROM s WHERE a > 1", "INSERT INTO t SELECT a FROM s WHERE a < 1"
    one, two = running("insert_into_t", small), running("insert_into_t_2", big)

    def met(text: str, *mine: str) -> list[tuple[Action, str | None]]:
        steps = decide(parse(text), [one, two], History(), mine)
        return [(step.action, step.job and step.job.name) for step in steps]

    assert met(big) == [(Action.ATTACH, "insert_into_t_2")]
    assert met(f"{big}; {small}") == [(Action.ATTACH, "insert_into_t_2"), (Action.ATTACH, "insert_into_t")]
    assert met("INSERT INTO t SELECT 7 AS a FROM s") == [(Action.RUN, None)], "another cell's INSERT is left alone"
    assert met("INSERT INTO t SELECT 7 AS a FROM s", "insert_into_t_2") == [(Action.REPLACE, "insert_into_t_2")]
    assert met("INSERT INTO u SELECT 7 AS a FROM s", "insert_into_t_2") == [(Action.RUN, None)]


def test_the_second_use_of_a_name_in_a_text_is_refused_by_the_session() -> None:
    first = "START JOB j AS SELECT a FROM t"
    assert actions(f"{first}; START JOB j AS SELECT b FROM t", running("j", first)) == [Action.ATTACH, Action.RUN]


def replaced(text: str) -> str:
    script = parse(text)
    steps = [Step(s, Action.REPLACE, running(s.name, "")) for s in script.statements if isinstance(s, StartJob)]
    return edit(text, steps).text


def test_replacements_mean_the_same_statement() -> None:
    query = "SELECT a FROM t WITH ('watermark.delay' = '1s')"
    for text in (
        f"START JOB j AS {query}",
        f"CREATE STREAM j AS {query}",
        "INSERT INTO j SELECT a FROM t",
        "INSERT INTO a.b SELECT a FROM t",
        'INSERT INTO "my-topic" SELECT a FROM t',
        f"INSERT INTO j {query}",
        "INSERT INTO j WITH ('join.within' = '2s') SELECT (a) FROM t",
        "INSERT INTO j WITH x AS (SELECT a FROM t) SELECT a FROM x",
    ):
        (asked,), (now,) = parse(text).statements, parse(replaced(text)).statements
        assert isinstance(asked, StartJob)
        assert isinstance(now, StartJob)
        assert now.or_replace
        assert (now.name, now.output) == (asked.name, asked.output), text
        assert now.query.tree == asked.query.tree
        assert {k: v for k, v in now.options.items() if k != "output.topic"} == asked.options


def test_attached_statements_are_blanked_and_the_lines_stay() -> None:
    text = "START JOB j\n AS SELECT a FROM t;\nSHOW JOBS"
    script = parse(text)
    steps = [Step(script.statements[0], Action.ATTACH), Step(script.statements[1], Action.RUN)]
    edited = edit(text, steps).text
    assert [type(s).__name__ for s in parse(edited).statements] == ["Show"]
    assert edited.index("SHOW") == text.index("SHOW")


@given(st.data())
def test_a_place_finds_its_way_back(data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet="ab \n;x", min_size=1, max_size=40))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    edits = [
        (a, b, data.draw(st.text(alphabet="ZY\n", max_size=5))) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    edited = Edited(text, edits)
    kept = [at for at in range(len(text)) if not any(a <= at < b for a, b, _ in edits)]
    shift = lambda at: at + sum(len(new) - (b - a) for a, b, new in edits if b <= at)  # noqa: E731
    for at in kept:
        assert edited.text[shift(at)] == text[at]
        if text[at] == "\n":
            continue
        error = ParseError("x", place=place_at(edited.text, shift(at), shift(at) + 1))
        edited.restore(error)
        assert error.place == place_at(text, at, at + 1)

"""``ALTER JOB j SET name = value``: the same query with other values, from the state there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from velostream_nb.core.errors import BindError, JobError, StateError, did_you_mean
from velostream_nb.core.functions import Function
from velostream_nb.core.model import JobState
from velostream_nb.engine.constants import Constants
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.sql.literals import literal
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan
from velostream_nb.sql.planner import Catalog, plan_job, plan_query
from velostream_nb.sql.pull import constant_sql
from velostream_nb.sql.shape import difference
from velostream_nb.sql.statements import AlterJob, Push, StartJob


def new_values(
    statement: AlterJob, spec: JobSpec, *, now_us: int, functions: Mapping[str, Function] | None = None
) -> dict[str, object]:
    """The values that a statement sets, of the kind that the parameters had.

    Raises:
        BindError: no such parameter (with near names), or a value that is none.
        JobError: the job has no parameters.
    """
    if not spec.params:
        raise JobError(
            f"job {spec.name} has no parameters",
            hint="write $name in its query and start it with a value: s.sql(text, params={'name': 5})",
        )
    values: dict[str, object] = {}
    with Constants(functions) as constants:
        for name, (tree, place) in statement.values.items():
            if name not in spec.params:
                raise BindError(
                    f"job {spec.name} has no parameter {name!r}", hint=did_you_mean(name, spec.params), place=place
                )
            try:
                value = constants.value(constant_sql(tree, statement.source, now_us))
            except BindError as error:
                error.place = error.place or place
                raise
            values[name] = _alike(spec.params[name], value)
            literal(values[name], name=name, place=place)  # a value of a kind that no statement can hold
    return values


def _alike(old: object, new: Any) -> object:
    """A number of the kind the old one was, so that 5 after 2.5 stays a DOUBLE; anything else as it is."""
    if isinstance(new, bool) or not isinstance(new, int | float | Decimal) or isinstance(old, bool):
        return new
    if isinstance(old, float) or hasattr(old, "dtype"):  # NumPy's numbers too
        return float(new) if "int" not in str(getattr(old, "dtype", "")) else int(new)
    if isinstance(old, int) and new == int(new):
        return int(new)
    return Decimal(str(new)) if isinstance(old, Decimal) else new


def altered(spec: JobSpec, values: Mapping[str, object], catalog: Catalog) -> JobSpec:
    """The job with new values: its text planned anew, against what its streams are today.

    Raises:
        JobError: a value changes what the job's state, or what it has written, depends on.
        SqlError: the query cannot be planned with this value.
    """
    params = {**spec.params, **values}
    plan = _plan(spec, params, catalog)
    what = difference(spec.plan, plan)
    if what is not None:
        names = ", ".join(values)
        raise JobError(
            f"{names} cannot change while job {spec.name} runs: it changes {what}",
            hint=f"STOP JOB {spec.name}, and start it with the new value (START OR REPLACE JOB {spec.name} AS …)",
        )
    return replace(spec, plan=plan, params=params)


def _plan(spec: JobSpec, params: Mapping[str, object], catalog: Catalog) -> JobPlan:
    (statement,) = parse(spec.sql, params=params).statements
    if isinstance(statement, StartJob):
        return plan_job(statement, catalog, spec.settings)
    assert isinstance(statement, Push)
    return plan_query(statement.query, catalog, spec.settings)


def carry_over(job: RunningJob, spec: JobSpec) -> None:
    """Put the new query in the place of the old one, between two ticks. On the engine's thread.

    A job that is neither running nor paused takes the new values when it is started again.

    Raises:
        JobError: what it reads is not what it was.
        BindError: DuckDB refuses the query with this value; the job goes on as it was.
    """
    if job.state not in (JobState.RUNNING, JobState.PAUSED):
        job.spec = spec
        return
    try:
        job.take_over(spec)
    except StateError as error:
        raise JobError(
            f"job {job.name} cannot go on with the new value: its columns would be of other types",
            hint=f"STOP JOB {job.name}, and start it with the new value",
        ) from error

"""``ALTER JOB j SET name = value``: the same query with other values, from the state there is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from velostream_nb.core.errors import BindError, JobError, Place, StateError, did_you_mean
from velostream_nb.core.functions import Function
from velostream_nb.core.model import JobState
from velostream_nb.engine.constants import Constants
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.sql.literals import literal, parameter_text
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan
from velostream_nb.sql.planner import Catalog, plan_job, plan_query
from velostream_nb.sql.pull import constant_sql
from velostream_nb.sql.shape import difference
from velostream_nb.sql.statements import AlterJob, Push, StartJob

_KINDS: tuple[tuple[type, ...], ...] = (
    (bool, int, float, Decimal),
    (str,),
    (datetime, date),
    (timedelta,),
)


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
            literal(value, name=name, place=place)  # raises for a kind that no statement can hold
            values[name] = _alike(name, spec.params[name], value, place)
    return values


def _alike(name: str, old: object, new: Any, place: Place) -> object:
    """The new value as one of the old one's kind: 5 after 2.5 stays a DOUBLE. NULL may stand for any."""
    if old is None or new is None:
        return new
    item = getattr(old, "item", None)
    plain = item() if callable(item) else old  # NumPy's scalars
    for kinds in _KINDS:
        if isinstance(plain, kinds):
            if not isinstance(new, kinds) or isinstance(plain, bool) != isinstance(new, bool):
                raise BindError(
                    f"{name} is {parameter_text(old)}, and {parameter_text(new)} is of another kind",
                    hint="STOP the job, and start it with the new value, if the query can take it",
                    place=place,
                )
            break
    if isinstance(plain, float):
        return float(new)
    if isinstance(plain, int) and isinstance(new, Decimal | float) and math.isfinite(new) and new == int(new):
        return int(new)
    return Decimal(str(new)) if isinstance(plain, Decimal) else new


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


def planned_anew(spec: JobSpec, catalog: Catalog) -> JobSpec:
    """The job, its text planned against what its streams are today."""
    return replace(spec, plan=_plan(spec, spec.params, catalog))


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

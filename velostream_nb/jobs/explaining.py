"""EXPLAIN of a query or a job: text, JSON, and for notebooks the data of a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pyarrow as pa

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.core.functions import FunctionRegistry
from velostream_nb.core.model import PLAN_METADATA, Result
from velostream_nb.engine.explain import Explanation, explain, explain_engine
from velostream_nb.jobs import show
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.control import LIVE, JobControl
from velostream_nb.jobs.runner import Commands
from velostream_nb.sql.plan import JobPlan
from velostream_nb.sql.planner import plan_job, plan_query
from velostream_nb.sql.statements import Explain, Pull, Push, StartJob


class Explainer:
    """Carries out EXPLAIN. Safe to use from any thread."""

    def __init__(
        self,
        catalog: Catalog,
        control: JobControl,
        runner: Callable[[], Commands],
        settings: Mapping[str, str],
        functions: FunctionRegistry,
    ) -> None:
        self._catalog = catalog
        self._control = control
        self._runner = runner
        self._settings = settings
        self._functions = functions

    def explain(self, statement: Explain) -> Result:
        """``EXPLAIN [ANALYZE] …``; of a running job with what went through each operator, and what it holds.

        Raises:
            UnsupportedError: ANALYZE of what does not run.
        """
        found = self._explained(statement)
        plain = json.dumps(found.to_json())
        if statement.form == "json":
            table = pa.table({"plan": pa.array([plain], pa.string())})
        elif statement.analyze:
            table = show.operators_table(found.steps)
        else:
            table = show.plan_table(found.lines())
        message = f"job {found.job}" if found.job else f"{len(found.steps)} steps"
        # the picture that a notebook draws; whoever does not know it sees a table
        return Result("table", message, job=found.job, table=table.replace_schema_metadata({PLAN_METADATA: plain}))

    def _explained(self, statement: Explain) -> Explanation:
        target = statement.target
        if isinstance(target, str):
            job = self._control.job(target)
            if job.state in LIVE:
                return self._runner().call(lambda: explain_engine(job.engine, job=job.name))
            if statement.analyze:
                raise UnsupportedError(
                    f"job {job.name} is {job.state.value}, so there is nothing to measure",
                    hint=f"RESTART JOB {job.name}, or EXPLAIN JOB {job.name} for its plan",
                )
            return explain(job.spec.plan, self._functions.all())
        if statement.analyze:
            raise UnsupportedError("only a running job can be analyzed", hint="EXPLAIN ANALYZE JOB name")
        return explain(self._plan(target), self._functions.all())

    def _plan(self, target: StartJob | Pull | Push) -> JobPlan:
        if isinstance(target, StartJob):
            return plan_job(target, self._catalog, self._settings)
        return plan_query(target.query, self._catalog, self._settings)

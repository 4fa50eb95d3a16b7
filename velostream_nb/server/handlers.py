"""The routes: thin, one session call each. All but ``/health`` need the token."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa

from velostream_nb import __version__
from velostream_nb.core.model import Result
from velostream_nb.core.wire import (
    ARROW,
    BUNDLE,
    JSON,
    RAW_COLUMN,
    job_to_json,
    pack_frames,
    pack_results,
    pack_table,
    topic_to_json,
    unpack_table,
)
from velostream_nb.server.answers import SessionHandler, authenticated, bad_request, public, table_to_json
from velostream_nb.server.service import Pool
from velostream_nb.server.trust import refuse_files

MOST_FRAME_ROWS = 1_000_000
"""Rows of one topic in one frame: more is a mistake, not a look."""


class Health(SessionHandler):
    """``GET /health``: whether somebody is in. No token."""

    _track_activity = False

    @public
    def get(self) -> None:
        closed = bool(getattr(self.service.session, "closed", False))
        self.set_status(503 if closed else 200)
        self.answer({"status": "closed" if closed else "ok", "version": __version__})


class Jobs(SessionHandler):
    """``GET /jobs``: all jobs, in the order they were started."""

    @authenticated
    async def get(self) -> None:
        infos = await self.call(Pool.LOOK, self.service.session.jobs)
        self.answer([job_to_json(info) for info in infos])


class Job(SessionHandler):
    """``GET /jobs/{name}``: one job."""

    @authenticated
    async def get(self, name: str) -> None:
        info = await self.call(Pool.LOOK, lambda: self.service.session.job_info(name))
        self.answer(job_to_json(info))


class JobAction(SessionHandler):
    """``POST /jobs/{name}/{action}``: stop, pause, resume, restart, drop."""

    @authenticated
    async def post(self, name: str, action: str) -> None:
        info = await self.call(Pool.ACT, lambda: self.service.session.control(name, action))
        self.answer(job_to_json(info))


class Sql(SessionHandler):
    """``POST /sql`` ``{"text": …, "params": {…}, "timeout": seconds or null}``: one result a statement.

    As JSON or as a bundle.
    """

    @authenticated
    async def post(self) -> None:
        text, params, timeout = self.text(), self.params(), self.seconds("timeout")

        def run() -> list[Result]:
            refuse_files(text, params)
            return self.service.session.sql(text, params=params, timeout=timeout, given_up=self.given_up)

        # a query with LIMIT over a stream waits for its rows, so any text may take long
        results = await self.call(Pool.WAIT, run)
        if self.accepts(BUNDLE):
            self.answer_bytes(BUNDLE, await self.call(Pool.ACT, lambda: pack_results(results)))
        else:
            self.answer(await self.call(Pool.ACT, lambda: [_result_to_json(result) for result in results]))


class Query(SessionHandler):
    """``POST /query`` ``{"text": …, "params": {…}, "timeout": seconds or null}``: the rows of one SELECT.

    As an Arrow stream or, when asked for, as JSON.
    """

    @authenticated
    async def post(self) -> None:
        text, params, timeout = self.text(), self.params(), self.seconds("timeout")

        def run() -> pa.Table:
            return self.service.session.query(text, params=params, timeout=timeout, given_up=self.given_up)

        await _answer_table(self, await self.call(Pool.WAIT, run))


class Topics(SessionHandler):
    """``GET /topics``: all topics, by name."""

    @authenticated
    async def get(self) -> None:
        infos = await self.call(Pool.LOOK, self.service.session.topics)
        self.answer([topic_to_json(info) for info in infos])


class TopicRecords(SessionHandler):
    """``GET /topics/{name}/records``: what is retained; ``POST``: append JSON rows, raw lines or an Arrow stream."""

    @authenticated
    async def get(self, name: str) -> None:
        changelog = self.get_argument("changelog", "false").lower()
        if changelog not in ("true", "false"):
            raise bad_request(f"changelog must be true or false, got {changelog!r}")
        read = partial(self.service.session.read, name, changelog=changelog == "true")
        await _answer_table(self, await self.call(Pool.ACT, read))

    @authenticated
    async def post(self, name: str) -> None:
        op = self.get_argument("op", "upsert")

        def produce() -> int:
            return self.service.session.produce(name, self._rows(), op=op)

        self.answer({"rows": await self.call(Pool.ACT, produce)})

    def _rows(self) -> Any:
        kind = self.request.headers.get("Content-Type", "").partition(";")[0]
        if kind == ARROW:
            table = unpack_table(self.request.body)
            return table.column(RAW_COLUMN).to_pylist() if table.column_names == [RAW_COLUMN] else table
        if kind == "application/x-ndjson":
            return [line for line in self.request.body.split(b"\n") if line.strip()]
        rows = self.json_body()
        if not isinstance(rows, dict | list):
            raise bad_request("the body must be a JSON object, or a list of them", 'send [{"symbol": "AAPL"}]')
        return rows


class Frames(SessionHandler):
    """``POST /frames`` ``{"topics": {topic: after or null}, "limit": n}``: what is new, as of one tick, as a bundle."""

    @authenticated
    async def post(self) -> None:
        body = self.body(topics=dict, limit=int)
        wanted, limit = body.get("topics") or {}, body.get("limit", 5_000)
        if not all(after is None or (type(after) is int and after >= 0) for after in wanted.values()):
            raise bad_request("each topic needs the position to look after, or null", 'send {"topics": {"t": null}}')
        if limit is None or not 1 <= limit <= MOST_FRAME_ROWS:
            raise bad_request(f"'limit' must be 1 to {MOST_FRAME_ROWS}, got {limit}")
        data = await self.call(Pool.LOOK, lambda: pack_frames(self.service.session.frames(wanted, limit=limit)))
        self.answer_bytes(BUNDLE, data)


class Drain(SessionHandler):
    """``POST /drain`` ``{"final": false, "timeout": seconds or null}``: answers when all is processed."""

    @authenticated
    async def post(self) -> None:
        body, timeout = self.body(final=bool), self.seconds("timeout")
        drain = partial(self.service.session.drain, final=bool(body.get("final")), timeout=timeout)
        await self.call(Pool.WAIT, drain)
        self.answer({"drained": True})


async def _answer_table(handler: SessionHandler, table: Any) -> None:
    if handler.accepts(JSON):
        handler.answer(await handler.call(Pool.ACT, lambda: table_to_json(table)))
    else:
        handler.answer_bytes(ARROW, await handler.call(Pool.ACT, lambda: pack_table(table)))


def _result_to_json(result: Result) -> dict[str, Any]:
    table = None if result.table is None else table_to_json(result.table)
    return {"kind": result.kind, "message": result.message, "job": result.job, "table": table}


ROUTES: tuple[tuple[str, type[SessionHandler]], ...] = (
    (r"/health", Health),
    (r"/jobs", Jobs),
    (r"/jobs/([^/]+)", Job),
    (r"/jobs/([^/]+)/([^/]+)", JobAction),
    (r"/sql", Sql),
    (r"/query", Query),
    (r"/topics", Topics),
    (r"/topics/([^/]+)/records", TopicRecords),
    (r"/frames", Frames),
    (r"/drain", Drain),
)
"""Path patterns below the server's base URL. Names in paths are percent-encoded."""

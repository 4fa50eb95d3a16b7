"""`RemoteSession`: the interface of `core.model.SessionLike` over a server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import quote

import pyarrow as pa

from velostream_nb.client.http import Http, read_json, split_url
from velostream_nb.client.rows import bodies
from velostream_nb.core.errors import SchemaError, ServerError, UnsupportedError
from velostream_nb.core.functions import STAYS, functions_stay_here
from velostream_nb.core.handle import JobHandle
from velostream_nb.core.model import Frame, JobInfo, Result, TopicInfo
from velostream_nb.core.wire import (
    ARROW,
    BUNDLE,
    JSON,
    ROWS,
    job_from_json,
    topic_from_json,
    unpack_frames,
    unpack_results,
    unpack_table,
    values_to_json,
)

DEFAULT_TIMEOUT_S = 60.0


class RemoteSession:
    """A session in another process. All methods may be called from any thread.

    Args:
        url: of the server, such as ``http://127.0.0.1:8080``; may carry ``?token=…``.
        token: None takes the one in `url`, else the environment's ``VELO_TOKEN``.
        timeout: seconds that an answer may take; None waits as long as it takes. `drain` and a ``LIMIT`` query over a
            stream have their own patience.

    Raises:
        ConfigError: `url` is no http address.
        ServerError: nothing answers there, or the token is refused.

    Closing it closes the connections; the jobs belong to the server and go on.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float | None = DEFAULT_TIMEOUT_S) -> None:
        base, in_url = split_url(url)
        self._http = Http(base, token or in_url or os.environ.get("VELO_TOKEN") or None, timeout)
        try:
            self.jobs()
        except BaseException:
            self._http.close()
            raise

    @property
    def url(self) -> str:
        """The server's address, without the token."""
        return self._http.base

    # -- SQL --------------------------------------------------------------------------------------------------------

    def sql(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,  # noqa: ARG002  (of the contract; see below)
        **named: object,
    ) -> list[Result]:
        """Run one or many statements in order; the first error stops the rest. Returns one result a statement.

        Args:
            params, **named: values for ``$name``.
            timeout: seconds; a query with EMIT CHANGES LIMIT then gives what has come. None waits for all its rows; an
                interrupt here ends it there.
            given_up: not asked: who waits here waits for one answer.
        """
        body = {"text": text, "params": {**(params or {}), **named}, "timeout": timeout}
        # a query with LIMIT over a stream waits for its rows, as it does in a local session
        with functions_stay_here():
            answer = self._http.post("/sql", accept=BUNDLE, content=_content(body), kind=ROWS, timeout=None)
        return unpack_results(answer.content)

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,  # noqa: ARG002  (of the contract; see below)
    ) -> pa.Table:
        """The rows of a bare SELECT over what is retained, as of one tick. Arguments as for `sql`; see there."""
        body = {"text": text, "params": dict(params or {}), "timeout": timeout}
        with functions_stay_here():
            answer = self._http.post("/query", accept=ARROW, content=_content(body), kind=ROWS, timeout=None)
        return unpack_table(answer.content)

    def function(self, call: Callable[..., Any] | None = None, /, **_: Any) -> NoReturn:
        """Refused: a server runs no code of its clients.

        Raises:
            UnsupportedError: always.
        """
        name = getattr(call, "__name__", "a Python function")
        raise UnsupportedError(f"{name} cannot run in the server at {self.url}: it lives in this process", hint=STAYS)

    # -- records ----------------------------------------------------------------------------------------------------

    def produce(self, topic: str, rows: Any, *, op: str = "upsert") -> int:
        """Append rows (list of dicts, pandas, Arrow, or list of bytes for raw records); returns how many.

        Many rows travel in several requests, each of them appended as a whole.
        """
        path = f"/topics/{_name(topic)}/records"
        produced = 0
        for kind, content in bodies(rows):
            answer = self._http.post(path, accept=JSON, content=content, kind=kind, params={"op": op})
            produced += int(read_json(answer)["rows"])
        return produced

    def read(self, topic: str, *, changelog: bool = False) -> pa.Table:
        """All retained records of a topic; a changelog is folded by its key unless `changelog`."""
        params = {"changelog": "true"} if changelog else None
        return unpack_table(self._http.get(f"/topics/{_name(topic)}/records", accept=ARROW, params=params).content)

    def frames(self, wanted: Mapping[str, int | None], *, limit: int = 5_000) -> dict[str, Frame]:
        """What is new in each topic since its offset (None: the newest `limit` rows); all as of one tick."""
        body = {"topics": dict(wanted), "limit": limit}
        return unpack_frames(self._http.post("/frames", accept=BUNDLE, json=body).content)

    def topics(self) -> list[TopicInfo]:
        """All topics, by name."""
        return [topic_from_json(each) for each in self._items("/topics")]

    def drain(self, *, final: bool = False, timeout: float | None = None) -> None:
        """Return when all that was produced before the call is processed; `final` ends the inputs."""
        self._http.post("/drain", accept=JSON, json={"final": final, "timeout": timeout}, timeout=None)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, name: str) -> JobHandle:
        """A handle on a job, without `.stream`; UnknownJobError with near names otherwise."""
        return JobHandle(self, self.job_info(name).name)

    def jobs(self) -> list[JobInfo]:
        """All jobs, in the order they were started."""
        return [job_from_json(each) for each in self._items("/jobs")]

    def job_info(self, name: str) -> JobInfo:
        """One job; UnknownJobError with near names otherwise."""
        return job_from_json(read_json(self._http.get(f"/jobs/{_name(name)}", accept=JSON)))

    def control(self, name: str, action: str) -> JobInfo:
        """'stop' | 'pause' | 'resume' | 'restart' | 'drop' a job; gives it as it is then."""
        return job_from_json(read_json(self._http.post(f"/jobs/{_name(name)}/{_name(action)}", accept=JSON)))

    # -- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; the server's jobs go on. Safe to call twice."""
        self._http.close()

    @property
    def closed(self) -> bool:
        return self._http.closed

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RemoteSession({self.url!r}{', closed' if self.closed else ''})"

    def _items(self, path: str) -> Iterator[Mapping[str, Any]]:
        found = read_json(self._http.get(path, accept=JSON))
        if not isinstance(found, list):
            raise ServerError(f"{self.url}{path} answered {json.dumps(found)[:80]}", hint="is this a velo server?")
        return iter(found)


def _content(body: Mapping[str, object]) -> bytes:
    try:
        return values_to_json(body)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"a parameter cannot travel: {error}", hint="use plain numbers, texts and times") from error


def _name(name: str) -> str:
    return quote(name, safe="")

"""What all routes share: bodies in, tables and errors out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import pyarrow as pa
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError
from tornado.web import authenticated as needs_token

from velostream_nb.core import errors
from velostream_nb.core.errors import ServerError, VeloError
from velostream_nb.core.rows import json_rows
from velostream_nb.core.types import column_types
from velostream_nb.core.wire import ROWS, error_to_json, values_from_json
from velostream_nb.server.service import SETTING, Pool, Service

T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])

STATUS: Mapping[type[VeloError], int] = {
    errors.UnknownTopicError: 404,
    errors.UnknownJobError: 404,
    errors.JobError: 409,
    errors.StateError: 500,
    VeloError: 400,
}
"""HTTP status by class of error; a subclass has its nearest ancestor's."""


def status_of(error: VeloError) -> int:
    """The HTTP status that fits an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


class ApiError(HTTPError):  # type: ignore[misc]  # tornado is not followed
    """One of our errors on its way out of a handler."""

    def __init__(self, error: VeloError) -> None:
        super().__init__(status_of(error))
        self.error = error


def authenticated(method: M) -> M:
    """Only with the token; 403 without."""
    return cast(M, needs_token(method))


def public(method: M) -> M:
    """Without token too."""
    return cast(M, allow_unauthenticated(method))


def bad_request(message: str, hint: str | None = None) -> ApiError:
    """A request that is not as the route wants it."""
    return ApiError(ServerError(message, hint=hint))


class SessionHandler(APIHandler):  # type: ignore[misc]
    """Base of our routes: 403 without the token (never a redirect), errors as JSON."""

    def initialize(self) -> None:
        self._gone = threading.Event()
        super().initialize()

    @property
    def service(self) -> Service:
        service: Service = self.settings[SETTING]
        return service

    async def call(self, pool: Pool, action: Callable[[], T]) -> T:
        """Run `action` on a thread; our errors become answers."""
        try:
            return await self.service.call(pool, action)
        except VeloError as error:
            raise ApiError(error) from error

    # -- in ---------------------------------------------------------------------------------------------------------

    def body(self, **wanted: type) -> dict[str, Any]:
        """The JSON object in the body, with these members of these types (None and missing members pass).

        Raises:
            ApiError: something else.
        """
        found = self.json_body()
        if not isinstance(found, dict):
            raise bad_request(f"the body must be a JSON object, got {type(found).__name__}", _example(wanted))
        for name, kind in wanted.items():
            value = found.get(name)
            if value is not None and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
                raise bad_request(
                    f"{name!r} must be of type {kind.__name__}, got {json.dumps(value, default=str)[:80]}",
                    _example(wanted),
                )
        return found

    def json_body(self) -> Any:
        """The body's JSON, with the tags of `ROWS` read where it is said to be that; ApiError when it is none."""
        try:
            if self.request.headers.get("Content-Type", "").partition(";")[0] == ROWS:
                return values_from_json(self.request.body)
            return json.loads(self.request.body)
        except ValueError as error:
            raise bad_request(f"the body is not JSON: {error}") from error

    def text(self) -> str:
        """The SQL text of the body."""
        found = self.body(text=str).get("text")
        if found is None:
            raise bad_request("the body has no 'text'", 'send {"text": "SELECT …"}')
        return str(found)

    def params(self) -> dict[str, Any]:
        """The values of ``$name`` in the body."""
        return self.body(params=dict).get("params") or {}

    def seconds(self, name: str) -> float | None:
        """A time in the body; None when it is null or missing."""
        value = self.body().get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise bad_request(f"{name!r} must be seconds or null, got {value!r}")
        return value

    def given_up(self) -> bool:
        """Whether the client has gone, so that nothing waits for nobody."""
        return self._gone.is_set()

    def on_connection_close(self) -> None:
        """The client has gone before its answer."""
        self._gone.set()
        super().on_connection_close()

    def accepts(self, kind: str) -> bool:
        """Whether the client asked for this media type by name."""
        return kind in self.request.headers.get("Accept", "")

    # -- out --------------------------------------------------------------------------------------------------------

    def answer(self, value: Any) -> None:
        """Finish with JSON."""
        self.finish(json.dumps(value))

    def answer_bytes(self, kind: str, data: bytes | pa.Buffer) -> None:
        """Finish with a binary body."""
        self.finish(bytes(data), set_content_type=kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors are JSON: class, message, hint, place."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, ApiError):
            ours: VeloError = error.error
        elif status_code == 403:
            ours = ServerError("no access without the token", hint="send the header: Authorization: token …")
        elif isinstance(error, HTTPError):
            ours = ServerError(error.log_message or f"{status_code} {self._reason}")
        else:
            ours = ServerError("the server failed to answer; its log says why")
        self.answer(error_to_json(ours))


def table_to_json(table: pa.Table) -> dict[str, Any]:
    """A table for clients without Arrow: DuckDB's type names by column, and one object a row."""
    return {"columns": column_types(table.schema), "rows": json_rows(table)}


def _example(wanted: Mapping[str, type]) -> str:
    shapes = {str: '"…"', int: "1", bool: "false", dict: "{…}"}
    return "send {" + ", ".join(f"{json.dumps(name)}: {shapes[kind]}" for name, kind in wanted.items()) + "}"

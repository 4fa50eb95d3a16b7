"""The routes as clients without our library see them."""

from __future__ import annotations

import threading
import time

import httpx
import pyarrow as pa
import pytest

from tests.server.served import Served, ServedSession
from velostream_nb.core.wire import ARROW, BUNDLE, unpack_frames, unpack_results, unpack_table

ROWS = [{"symbol": "A", "price": 1.5, "timestamp": 1_000}, {"symbol": "B", "price": 2.5, "timestamp": 2_000}]
JSON = {"Accept": "application/json"}


def test_json_rows_in_and_out(http: httpx.Client) -> None:
    assert http.post("/topics/trades/records", json=ROWS).json() == {"rows": 2}
    assert http.post("/topics/trades/records", json=ROWS[0]).json() == {"rows": 1}
    answer = http.get("/topics/trades/records", headers=JSON).json()
    assert answer["columns"] == {"symbol": "VARCHAR", "price": "DOUBLE", "timestamp": "TIMESTAMP"}
    assert answer["rows"] == [*ROWS, ROWS[0]]


def test_lines_are_raw_records(http: httpx.Client) -> None:
    lines = b'{"x":1}\n\nnot json\n{"x":2}'
    answer = http.post(
        "/topics/t/records", content=lines, headers={"Content-Type": "application/x-ndjson; charset=utf-8"}
    )
    assert answer.json() == {"rows": 3}
    assert http.post("/query", json={"text": "SELECT x FROM t"}, headers=JSON).json()["rows"] == [{"x": 1}, {"x": 2}]


def test_arrow_in_and_out(http: httpx.Client) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("x", pa.int64())])) as writer:
        writer.write_batch(pa.record_batch({"x": [1, 2, 3]}))
    answer = http.post("/topics/t/records", content=sink.getvalue().to_pybytes(), headers={"Content-Type": ARROW})
    assert answer.json() == {"rows": 3}
    answer = http.post("/query", json={"text": "SELECT sum(x)::BIGINT AS s FROM t"})
    assert answer.headers["Content-Type"] == ARROW
    assert unpack_table(answer.content).to_pylist() == [{"s": 6}]


def test_a_curl_without_content_type_is_understood(http: httpx.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post("/topics/t/records", content=b'[{"x": 1}]', headers=form).json() == {"rows": 1}
    assert http.post("/query", content=b'{"text": "SELECT x FROM t"}', headers={**form, **JSON}).json()["rows"] == [
        {"x": 1}
    ]


def test_statements_answer_in_the_form_that_is_asked_for(http: httpx.Client) -> None:
    http.post("/topics/trades/records", json=ROWS)
    body = {
        "text": "START JOB j AS SELECT symbol FROM trades WHERE price > $low; SELECT count(*) AS n FROM trades",
        "params": {"low": 2},
    }
    started, counted = http.post("/sql", json=body).json()
    assert (started["kind"], started["job"], started["table"]) == ("job", "j", None)
    assert counted["table"] == {"columns": {"n": "BIGINT"}, "rows": [{"n": 2}]}
    answer = http.post("/sql", json={"text": "SHOW JOBS"}, headers={"Accept": BUNDLE})
    (shown,) = unpack_results(answer.content)
    assert shown.table.column("job").to_pylist() == ["j"]


def test_jobs_are_looked_at_and_steered(http: httpx.Client) -> None:
    http.post("/topics/trades/records", json=ROWS)
    http.post("/sql", json={"text": "START JOB j AS SELECT symbol FROM trades WITH ('output.topic' = 'o')"})
    assert http.post("/drain", json={}).json() == {"drained": True}
    (job,) = http.get("/jobs").json()
    assert job == http.get("/jobs/j").json()
    assert (job["name"], job["state"], job["rows_in"], job["inputs"]) == ("j", "running", 2, ["trades"])
    assert http.post("/jobs/j/pause").json()["state"] == "paused"
    assert http.post("/jobs/j/resume").json()["state"] == "running"
    assert http.post("/jobs/j/stop").json()["state"] == "stopped"
    topics = {topic["name"]: topic for topic in http.get("/topics").json()}
    assert topics["o"]["rows"] == 2
    assert topics["o"]["columns"] == {"symbol": "VARCHAR"}


def test_names_in_paths_are_percent_encoded(http: httpx.Client, remote: ServedSession) -> None:
    assert http.post("/topics/a%2Fb/records", json=ROWS).status_code == 400  # a name that no topic may have
    assert http.get("/jobs/caf%C3%A9").json()["message"] == "unknown job 'café'"


def test_frames_are_one_body_of_one_moment(http: httpx.Client) -> None:
    http.post("/topics/t/records", json=[{"x": i} for i in range(10)])
    answer = http.post("/frames", json={"topics": {"t": 3, "none": None}, "limit": 4})
    assert answer.headers["Content-Type"] == BUNDLE
    frames = unpack_frames(answer.content)
    t = frames["t"]
    assert (t.rows.column("x").to_pylist(), t.next, t.skipped, t.total) == ([6, 7, 8, 9], 10, 3, 10)
    assert (frames["none"].rows.num_rows, frames["none"].next) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "says"),
    [
        ("POST", "/query", b"{", 400, "ServerError", "not JSON"),
        ("POST", "/query", b"[]", 400, "ServerError", "must be a JSON object, got list"),
        ("POST", "/query", b"{}", 400, "ServerError", "no 'text'"),
        ("POST", "/sql", b'{"text": 5}', 400, "ServerError", "'text' must be of type str"),
        ("POST", "/sql", b'{"text": "SHOW JOBS", "params": []}', 400, "ServerError", "'params' must be of type dict"),
        ("POST", "/frames", b'{"topics": {"t": "x"}}', 400, "ServerError", "position"),
        ("POST", "/frames", b'{"topics": {"t": -1}}', 400, "ServerError", "position"),
        ("POST", "/frames", b'{"topics": {}, "limit": 0}', 400, "ServerError", "'limit' must be 1 to"),
        ("POST", "/frames", b'{"topics": {}, "limit": true}', 400, "ServerError", "'limit' must be of type int"),
        ("POST", "/drain", b'{"timeout": "long"}', 400, "ServerError", "'timeout' must be seconds"),
        ("POST", "/drain", b'{"final": 1}', 400, "ServerError", "'final' must be of type bool"),
        ("POST", "/topics/t/records", b'"x"', 400, "ServerError", "must be a JSON object, or a list"),
        ("POST", "/topics/t/records", b"[1]", 400, "SchemaError", "cannot make records of"),
        ("POST", "/topics/t/records?op=x", b"[]", 400, "ConfigError", "op must be"),
        ("GET", "/topics/t/records?changelog=x", b"", 400, "ServerError", "true or false"),
        ("GET", "/topics/t/records", b"", 404, "UnknownTopicError", "unknown topic"),
        ("GET", "/jobs/x", b"", 404, "UnknownJobError", "unknown job"),
        ("POST", "/jobs/x/stop", b"", 404, "UnknownJobError", "unknown job"),
        ("POST", "/jobs/x/jump", b"", 400, "ConfigError", "unknown action"),
        ("POST", "/query", b'{"text": "SELECT nope FROM nowhere"}', 400, "BindError", "nowhere"),
        ("POST", "/sql", b'{"text": "SELEC 1"}', 400, "ParseError", "SELEC"),
        ("DELETE", "/jobs", b"", 405, "ServerError", "405"),
        ("GET", "/sql", b"", 405, "ServerError", "405"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_answered_as_json(
    http: httpx.Client, method: str, path: str, body: bytes, status: int, kind: str, says: str
) -> None:
    answer = http.request(method, path, content=body)
    assert (answer.status_code, answer.json()["error"]) == (status, kind)
    assert says in answer.json()["message"]


def test_a_place_in_the_text_is_told(http: httpx.Client) -> None:
    place = http.post("/sql", json={"text": "SHOW JOBS;\n  SELEC 1"}).json()["place"]
    assert (place["line"], place["column"]) == (2, 3)


def test_a_name_that_is_taken_is_a_conflict(http: httpx.Client) -> None:
    http.post("/topics/t/records", json=ROWS)
    start = {"text": "START JOB j AS SELECT symbol FROM t"}
    assert http.post("/sql", json=start).status_code == 200
    answer = http.post("/sql", json=start)
    assert (answer.status_code, answer.json()["error"]) == (409, "JobExistsError")


def test_a_fault_of_ours_tells_nothing_of_the_inside(
    served: Served,
    http: httpx.Client,
    remote: ServedSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise RuntimeError("password is hunter2")

    monkeypatch.setattr(remote.local, "topics", broken)
    answer = http.get("/topics")
    assert (answer.status_code, answer.json()["error"]) == (500, "ServerError")
    assert "hunter2" not in answer.text


def test_waiting_calls_keep_nobody_waiting(http: httpx.Client, served: Served) -> None:
    """Queries that never end wait on threads of their own; looks and appends still answer."""
    http.post("/topics/t/records", json=ROWS)
    never = {"text": "SELECT symbol FROM t WHERE price > 1000 EMIT CHANGES LIMIT 1"}

    def wait() -> None:
        with served.http() as client:
            client.post("/query", json=never)

    waiting = [threading.Thread(target=wait, daemon=True) for _ in range(8)]
    for thread in waiting:
        thread.start()
    deadline = time.monotonic() + 10
    while len(http.get("/jobs").json()) < len(waiting):
        assert time.monotonic() < deadline
    began = time.monotonic()
    assert http.post("/frames", json={"topics": {"t": None}}).status_code == 200
    assert time.monotonic() - began < 2
    http.post("/topics/t/records", json=[{"symbol": "C", "price": 2000.0, "timestamp": 3_000}])
    for thread in waiting:
        thread.join(10)
        assert not thread.is_alive()

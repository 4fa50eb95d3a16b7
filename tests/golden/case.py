"""A golden file as items in order, and back as text. README.md has the format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent

_HEADS = {
    "construct": re.compile(r"-- construct: (?P<name>.+)$"),
    "batches": re.compile(r"-- batches: (?P<name>whole)$"),
    "step": re.compile(r"-- step\b:?\s*(?P<name>.*)$"),
    "final": re.compile(r"-- final\b:?\s*(?P<name>.*)$"),
    "in": re.compile(r"-- in (?P<name>[^\s/]+)(?:/(?P<partition>\d+))?:$"),
    "delete": re.compile(r"-- delete (?P<name>\S+):$"),
    "wait": re.compile(r"-- wait (?P<name>\d+(?:ms|s|m|h))$"),
    "out": re.compile(r"-- out (?P<name>\S+):$"),
    "late": re.compile(r"-- late (?P<name>\S+): (?P<count>\d+)$"),
    "query": re.compile(r"-- query (?P<name>.+)$"),
    "error": re.compile(r"-- error (?P<name>\w+)$"),
    "failed": re.compile(r"-- failed (?P<name>\S+)$"),
    "oracle": re.compile(r"-- oracle(?: (?P<name>\S+))?:(?P<none>\s*none)?$"),
}
_NEAR = re.compile(r"-- (construct|batches|in|delete|wait|out|late|query|error|failed|oracle)\b[^.]*:?$")
"""A comment that begins like a word of the format but is not one: a slip, not a remark."""
_WITH_DATA = {"in", "delete", "out", "query", "error", "failed", "oracle"}
_CLAIMS = {"out", "late", "error", "failed"}
"""Items that an update writes anew."""


@dataclass(slots=True)
class Item:
    """One section: `kind` is a word of the format, 'sql', or 'text' (blank lines and remarks).

    Attributes:
        name: what the head names: a topic, a job, an error's kind, a query.
        data: the ``--|`` lines without their mark, or the lines of SQL or text.
    """

    kind: str
    name: str = ""
    data: list[str] = field(default_factory=list)
    partition: int | None = None
    count: int = 0
    none: bool = False

    def lines(self) -> list[str]:
        """The item as it stands in a file."""
        if self.kind in ("sql", "text"):
            return list(self.data)
        name = f" {self.name}" if self.name else ""
        head = {
            "construct": f"-- construct: {self.name}",
            "batches": f"-- batches: {self.name}",
            "step": f"-- step:{name}" if name else "-- step",
            "final": f"-- final:{name}" if name else "-- final",
            "in": f"-- in {self.name}{'' if self.partition is None else f'/{self.partition}'}:",
            "delete": f"-- delete {self.name}:",
            "out": f"-- out {self.name}:",
            "late": f"-- late {self.name}: {self.count}",
            "oracle": f"-- oracle{name}:{' none' if self.none else ''}",
        }.get(self.kind, f"-- {self.kind} {self.name}")
        return [head, *(f"--| {line}".rstrip() for line in self.data)]


@dataclass(slots=True)
class Step:
    """Items between two step heads; `head` is None for the set-up."""

    head: Item | None
    items: list[Item] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.head is not None and self.head.kind == "final"

    def actions(self) -> list[Item]:
        """What is done, in order, with neighbouring SQL as one script."""
        done: list[Item] = []
        for item in self.items:
            if item.kind == "sql" and done and done[-1].kind == "sql":
                done[-1] = Item("sql", data=[*done[-1].data, *item.data])
            elif item.kind == "error" and done and done[-1].kind == "sql":
                done[-1] = Item("sql", name=item.name, data=done[-1].data)
                done.append(item)
            elif item.kind in ("sql", "in", "delete", "wait", "query", "failed"):
                done.append(item)
        return done

    def outs(self) -> dict[str, list[str]]:
        """Rows claimed to come out, by topic."""
        return {item.name: item.data for item in self.items if item.kind == "out"}


@dataclass(slots=True)
class Case:
    """One golden file."""

    path: Path
    construct: str
    steps: list[Step]
    whole_only: bool
    late: dict[str, int]
    oracles: dict[str, str]
    no_oracle: frozenset[str]
    """Jobs without a batch answer; '' means all."""

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def read_case(path: Path, text: str | None = None) -> Case:
    """Parse a file.

    Raises:
        ValueError: it does not follow the format; names the file and line.
    """
    steps = [Step(None)]
    for item in _items(path, path.read_text() if text is None else text):
        if item.kind in ("step", "final"):
            steps.append(Step(item))
        else:
            steps[-1].items.append(item)
    everything = [item for step in steps for item in step.items]
    constructs = [item.name.strip() for item in everything if item.kind == "construct"]
    if len(constructs) != 1:
        raise ValueError(f"{path}: one '-- construct: …' line is needed, got {len(constructs)}")
    return Case(
        path,
        constructs[0],
        steps,
        any(item.kind == "batches" for item in everything),
        {item.name: item.count for item in everything if item.kind == "late"},
        {item.name: "\n".join(item.data) for item in everything if item.kind == "oracle" and not item.none},
        frozenset(item.name for item in everything if item.kind == "oracle" and item.none),
    )


def _items(path: Path, text: str) -> list[Item]:
    items: list[Item] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("--|"):
            if not items or items[-1].kind not in _WITH_DATA:
                raise ValueError(f"{path}:{number}: '--|' needs a section that takes data above it")
            items[-1].data.append(line[4:] if line.startswith("--| ") else line[3:])
            continue
        item = _head(line)
        if item is None and (near := _NEAR.match(line)) and near[1] != "in":
            raise ValueError(f"{path}:{number}: {line!r} is not a line of the format; see README.md")
        if item is not None:
            items.append(item)
            continue
        kind = "text" if not line.strip() or line.startswith("--") else "sql"
        if items and items[-1].kind == kind:
            items[-1].data.append(line)
        else:
            items.append(Item(kind, data=[line]))
    return items


def _head(line: str) -> Item | None:
    for kind, pattern in _HEADS.items():
        if (match := pattern.match(line)) is not None:
            found = match.groupdict()
            partition = found.get("partition")
            return Item(
                kind,
                (found.get("name") or "").strip(),
                partition=None if partition is None else int(partition),
                count=int(found.get("count") or 0),
                none=bool(found.get("none")),
            )
    return None


@dataclass(slots=True)
class Claims:
    """What a run gave, step by step, in the words of a file."""

    outs: list[dict[str, list[str]]]
    late: dict[str, int]
    errors: dict[int, Item]
    """By number of the SQL action (over the whole file) that was refused."""
    queries: list[list[str]]
    failed: list[list[Item]]


def rewritten(case: Case, claims: Claims) -> str:
    """The file's text with the claims of a run in place of its own."""
    text: list[Item] = []
    sql = query = 0
    for number, step in enumerate(case.steps):
        if step.head is not None:
            text.append(step.head)
        kept = [item for item in step.items if item.kind not in _CLAIMS]
        scripts = [item for item in step.items if item.kind not in _CLAIMS or item.kind == "error"]
        last_of_script = {id(item) for place, item in enumerate(scripts) if _ends_script(scripts, place)}
        tail = [*_written(claims, number, last=number == len(case.steps) - 1)]
        body, closing = _split_oracles(kept)
        for item in body:
            ends = item.kind == "sql" and id(item) in last_of_script
            if item.kind == "query":
                item = Item("query", item.name, claims.queries[query])
                query += 1
            text.append(item)
            if ends:
                if sql in claims.errors:
                    text.append(claims.errors[sql])
                sql += 1
        text += [*tail, *closing]
    return _tidy(line for item in text for line in item.lines())


def _written(claims: Claims, step: int, *, last: bool) -> Sequence[Item]:
    found = [Item("out", topic, rows) for topic, rows in claims.outs[step].items() if rows]
    found += claims.failed[step]
    if last:
        found += [Item("late", job, count=count) for job, count in claims.late.items() if count]
    return found


def _split_oracles(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Items, and the oracles (with the blank lines before them) that close a file."""
    at = next((i for i, item in enumerate(items) if item.kind == "oracle" and not item.none), len(items))
    while at and items[at - 1].kind == "text":
        at -= 1
    return items[:at], items[at:]


def _ends_script(items: list[Item], place: int) -> bool:
    following = next((item.kind for item in items[place + 1 :] if item.kind != "text"), "")
    return following != "sql"


def _tidy(lines: object) -> str:
    """One blank line before each step and none at the end."""
    tidy: list[str] = []
    for line in lines:  # type: ignore[attr-defined]
        if line.startswith(("-- step", "-- final")) and tidy and tidy[-1]:
            tidy.append("")
        if line or (tidy and tidy[-1]):
            tidy.append(line)
    return "\n".join(tidy).rstrip() + "\n"


def all_cases() -> list[Case]:
    """Every file, by path."""
    return [read_case(path) for path in sorted(ROOT.glob("*/*.sql"))]


def constructs_table() -> str:
    """README's table: a row a construct, with and how many cases show it; refusals have rows of their own."""
    found: dict[str, list[Case]] = {}
    for case in all_cases():
        found.setdefault(case.construct, []).append(case)
    lines = ["| construct | supported | golden cases |", "| --- | --- | --- |"]
    for construct, cases in sorted(found.items(), key=lambda item: item[0].lower()):
        refused = construct.startswith("refusals")
        lines.append(f"| {construct} | {'refused, with a rewrite' if refused else 'yes'} | {len(cases)} |")
    lines.append(f"| all | | {sum(map(len, found.values()))} |")
    return "\n".join(lines)

"""Python functions that SQL may call: what was defined, under which name, with which types.

Nothing is called here; `engine.calls` does that. A registry may stand on another one: a session's on the process's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
import re
import threading
import types
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa

from velostream_nb.core.errors import BindError, ConfigError, SchemaError, did_you_mean
from velostream_nb.core.types import arrow_type, normal_type, sql_type

Form = Literal["values", "arrow", "numpy", "pandas"]
"""What a function takes and gives: single values, or whole columns as these."""

NULLS = ("skip", "call")
"""What becomes of rows with a NULL argument: the answer is NULL without a call, or the function is called with None."""

DECIMAL = pa.decimal128(38, 9)
"""What the annotation `Decimal` stands for; other digits are written out: ``returns="DECIMAL(18,2)"``."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_TYPES: dict[object, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    Decimal: DECIMAL,
    dt.datetime: arrow_type("TIMESTAMP"),
    dt.date: pa.date32(),
    dt.time: arrow_type("TIME"),
    dt.timedelta: arrow_type("INTERVAL"),
    uuid.UUID: pa.string(),
}
_HOW = 'write it as @velo.function(returns="DOUBLE"), or annotate it: def f(price: float) -> float'


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name in Python and its type; None takes a value of any type as it is."""

    name: str
    type: pa.DataType | None


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A Python function with all that SQL needs to know of it.

    Attributes:
        call: the function itself.
        form: 'values', called once a row; else once a batch of rows, with columns of that form.
        null: one of `NULLS`.
        deterministic: equal arguments give equal answers; without that, a replay may give other rows
        doc: its docstring, '' without one.
    """

    name: str
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    returns: pa.DataType
    form: Form
    null: str
    deterministic: bool
    doc: str

    @property
    def signature(self) -> str:
        """``risk(price DOUBLE, quantity BIGINT) -> DOUBLE``."""
        given = ", ".join(f"{p.name} {'ANY' if p.type is None else sql_type(p.type)}" for p in self.parameters)
        return f"{self.name}({given}) -> {sql_type(self.returns)}"

    @property
    def digest(self) -> str:
        """Changes when the signature or the function's own code does; not when something that it calls does."""
        code = getattr(self.call, "__code__", None)
        parts = (self.signature, self.form, self.null, *(_code_parts(code) if code is not None else ()))
        return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


def _code_parts(code: types.CodeType) -> Iterator[object]:
    yield code.co_code
    yield code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_parts(constant)
        else:
            yield constant


class FunctionRegistry:
    """Functions by name, in any case. Safe to use from any thread.

    Args:
        below: what is looked at for names that this one lacks.
    """

    def __init__(self, below: FunctionRegistry | None = None) -> None:
        self._below = below
        self._own: dict[str, Function] = {}
        self._lock = threading.Lock()

    def add(self, function: Function) -> None:
        """Make it known; one of the same name is replaced, for jobs that start from now on."""
        with self._lock:
            self._own[function.name.lower()] = function

    def remove(self, name: str) -> None:
        """Forget one; ConfigError with near names when there is none of that name here."""
        with self._lock:
            if self._own.pop(name.lower(), None) is None:
                hint = did_you_mean(name, [f.name for f in self._own.values()])
                raise ConfigError(f"no function {name!r} was defined", hint=hint)

    def all(self) -> dict[str, Function]:
        """Every function in sight, by lower-case name; sorted. A copy: later definitions do not change it."""
        found = {} if self._below is None else self._below.all()
        with self._lock:
            found |= self._own
        return dict(sorted(found.items()))


FUNCTIONS = FunctionRegistry()
"""The process's functions, which every session sees."""


STAYS = "run the job in a session of this process, velo.connect() without a URL, or write it in SQL"


@contextmanager
def functions_stay_here() -> Iterator[None]:
    """Around a request to a server: says why it does not know a function that is defined in this process."""
    try:
        yield
    except BindError as error:
        found = re.match(r"unknown function '(\w+)'", error.message)
        own = FUNCTIONS.all().get(found[1].lower()) if found else None
        if own is None:
            raise
        raise BindError(
            f"{own.name} is a Python function of this process, which the server cannot call",
            hint=STAYS,
            place=error.place,
        ) from error


def called(functions: Mapping[str, Function], texts: Sequence[str]) -> list[Function]:
    """Those of `functions` that SQL texts call, by name."""
    names = {name.lower() for text in texts for name in re.findall(r'(\w+)"?\s*\(', text)}
    return [function for name, function in functions.items() if name in names]


def define(
    call: Callable[..., Any],
    *,
    name: str | None = None,
    returns: str | pa.DataType | None = None,
    parameters: Sequence[str | pa.DataType] | None = None,
    vectorized: bool = False,
    null: str = "skip",
    deterministic: bool = True,
) -> Function:
    """A function as SQL sees it; types that are not given are read from the annotations.

    Args:
        name: its name in SQL; the function's own by default.
        returns: type of the answer, such as ``"DOUBLE"`` or ``"STRUCT(bid DOUBLE, ask DOUBLE)"``.
        parameters: types of the arguments, one each. A parameter without a type takes a value of any type.
        vectorized: called with columns instead of values: Arrow arrays, or numpy arrays or pandas series where a
            parameter is annotated so. It gives back one value a row, and a row's answer depends on that row alone.
        null: see `NULLS`.

    Raises:
        ConfigError: it cannot be a SQL function, and why.
    """
    known = name or str(getattr(call, "__name__", ""))
    if not callable(call) or inspect.iscoroutinefunction(call):
        raise ConfigError(f"{known or repr(call)} is not a plain function", hint="SQL calls functions made with def")
    if not _NAME.match(known):
        raise ConfigError(f"{known!r} cannot name a SQL function", hint='give it a name: @velo.function(name="risk")')
    if null not in NULLS:
        raise ConfigError(f"null must be 'skip' or 'call', got {null!r}", hint=did_you_mean(str(null), NULLS))
    hints = _annotations(call, known)
    names = _parameter_names(call, known)
    forms = {_form_of(hints.get(n)) for n in (*names, "return")} - {None} if vectorized else set()
    if len(forms) > 1:
        raise ConfigError(f"{known} mixes {' and '.join(sorted(map(str, forms)))}", hint="annotate all columns alike")
    form: Form = (forms.pop() or "arrow") if forms else "arrow" if vectorized else "values"
    given = _given_types(known, names, parameters)
    taken = [t if t is not None else _type_of(hints.get(n), known, n) for n, t in zip(names, given, strict=True)]
    answer = _type(returns, known) if returns is not None else _type_of(hints.get("return"), known, "return")
    if answer is None:
        raise ConfigError(f"the type that {known} returns is not known", hint=_HOW)
    both = tuple(Parameter(n, t) for n, t in zip(names, taken, strict=True))
    return Function(known, call, both, answer, form, null, deterministic, inspect.getdoc(call) or "")


def _annotations(call: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise ConfigError(f"the annotations of {name} cannot be read: {error}", hint=_HOW) from error


def _parameter_names(call: Callable[..., Any], name: str) -> list[str]:
    try:
        found = inspect.signature(call).parameters.values()
    except (ValueError, TypeError) as error:
        raise ConfigError(f"the parameters of {name} cannot be read", hint="wrap it in a def") from error
    for parameter in found:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(f"{name} takes {parameter}", hint="SQL needs to know how many: name them, or take a list")
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise ConfigError(f"{name} takes {parameter.name} by keyword only", hint="SQL gives arguments by place")
    return [p.name for p in found if p.kind is not p.KEYWORD_ONLY]


def _given_types(
    name: str, names: Sequence[str], parameters: Sequence[str | pa.DataType] | None
) -> list[pa.DataType | None]:
    if parameters is None:
        return [None] * len(names)
    if isinstance(parameters, str) or len(parameters) != len(names):
        raise ConfigError(
            f"{name} has {len(names)} parameters ({', '.join(names)}), got types {parameters!r}",
            hint="give one type each: parameters=['DOUBLE', 'BIGINT']",
        )
    return [_type(t, name) for t in parameters]


def _type(given: str | pa.DataType, name: str) -> pa.DataType:
    try:
        return normal_type(given) if isinstance(given, pa.DataType) else arrow_type(given)
    except SchemaError as error:
        raise ConfigError(f"function {name}: {error.message}", hint=error.hint) from error


def _form_of(annotation: object) -> Form | None:
    """The form of columns that an annotation names, None when it names none."""
    forms: dict[str, Form] = {"pyarrow": "arrow", "numpy": "numpy", "pandas": "pandas"}
    owner = typing.get_origin(annotation) or annotation
    return forms.get(str(getattr(owner, "__module__", "")).partition(".")[0])


def _type_of(annotation: Any, function: str, name: str) -> pa.DataType | None:
    """The SQL type of an annotation; None when there is none, or one that leaves the type open."""
    if annotation in (None, Any, object, inspect.Parameter.empty) or _form_of(annotation):
        return None
    if annotation in _TYPES:
        return _TYPES[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = [a for a in arguments if a is not types.NoneType]
        if len(kinds) == 1:
            return _type_of(kinds[0], function, name)
    elif origin in (list, Sequence) and len(arguments) == 1:
        item = _type_of(arguments[0], function, name)
        if item is not None:
            return pa.list_(item)
    elif origin in (dict, Mapping) and len(arguments) == 2:
        key, value = (_type_of(a, function, name) for a in arguments)
        if key is not None and value is not None:
            return pa.map_(key, value)
    shown = getattr(annotation, "__name__", str(annotation)) if not arguments else str(annotation)
    raise ConfigError(
        f"{function}: {shown} at {name} is no SQL type",
        hint="use float, int, str, bool, datetime, Decimal, list[float] and the like, or name types: "
        "@velo.function(returns='STRUCT(a DOUBLE)', parameters=['DOUBLE'])",
    )

"""Python functions on their way into SQL: the decorator behind `velo.function` and `session.function`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from velostream_nb.core.errors import ConfigError
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry, define
from velostream_nb.engine.duck import builtin_names
from velostream_nb.sql.taken import parsed_names

F = TypeVar("F", bound=Callable[..., Any])


def decorator(
    registry: FunctionRegistry = FUNCTIONS,
    *,
    name: str | None = None,
    returns: str | pa.DataType | None = None,
    parameters: Sequence[str | pa.DataType] | None = None,
    vectorized: bool = False,
    null: str = "skip",
    deterministic: bool = True,
) -> Callable[[F], F]:
    """What makes a Python function known to a registry, and gives it back as it is. See `core.functions.define`.

    Raises:
        ConfigError: (when it is used) the function cannot be called from SQL, and why.
    """

    def register(call: F) -> F:
        function = define(
            call,
            name=name,
            returns=returns,
            parameters=parameters,
            vectorized=vectorized,
            null=null,
            deterministic=deterministic,
        )
        if function.name.lower() in builtin_names() | parsed_names():
            raise ConfigError(
                f"{function.name} is a word of SQL already",
                hint=f'choose another name: @velo.function(name="my_{function.name}")',
            )
        registry.add(function)
        return call

    return register

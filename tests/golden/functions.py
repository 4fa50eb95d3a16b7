"""Python functions that golden cases call; defined in every case's session."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.jobs.session import Session


def mid(bid: float, ask: float) -> float:
    """Between bid and ask."""
    return (bid + ask) / 2


def risk(price: float, quantity: int) -> float:
    """What a position is worth; there are no negative prices."""
    if price < 0:
        raise ValueError(f"negative price {price}")
    return price * quantity


def label(name: str | None, size: int | None) -> str:
    """Called with None for NULL."""
    return f"{name or 'nobody'}:{0 if size is None else size}"


def root(x: pa.Array) -> pa.Array:
    """Square roots, a column at a time."""
    return pc.sqrt_checked(x)


def clipped(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Kept within bounds, over numpy."""
    return np.clip(x, low, high)


def fee(notional: Decimal) -> Decimal:
    """A thousandth, exact."""
    return notional / 1_000


def words(text: str) -> list[str]:
    """A text's words."""
    return text.split()


def quote(price: float) -> dict[str, float]:
    """Bid and ask around a price."""
    return {"bid": price - 1, "ask": price + 1}


def trading_day(at: dt.datetime) -> dt.date:
    """A day that begins at 22:00 the evening before."""
    return (at + dt.timedelta(hours=2)).date()


def misbehaves(x: int) -> int:
    """Promises integers and gives text for odd numbers."""
    return "odd" if x % 2 else x  # type: ignore[return-value]


def define_all(session: Session) -> None:
    """Make them known to a session."""
    for call in (mid, risk, words, trading_day, misbehaves):
        session.function(call)
    session.function(label, null="call")
    session.function(root, returns="DOUBLE", parameters=["DOUBLE"], vectorized=True)
    session.function(clipped, returns="DOUBLE", parameters=["DOUBLE"] * 3, vectorized=True)
    session.function(fee, returns="DECIMAL(38,18)", parameters=["DECIMAL(38,18)"])
    session.function(quote, returns="STRUCT(bid DOUBLE, ask DOUBLE)")

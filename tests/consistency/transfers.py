"""Transfers between accounts, and views of them that must agree with one another at every moment.

Money moves, and never comes or goes: whatever prefix of the transfers a view has seen, the balances add up to nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

STREAM = """
CREATE STREAM transfers (id BIGINT, from_account VARCHAR, to_account VARCHAR, amount BIGINT, ts TIMESTAMP)
WITH ('watermark.delay' = '2s', 'partitions' = '{partitions}')
"""

VIEWS = {
    "credits": "SELECT to_account AS account, SUM(amount) AS credits FROM transfers GROUP BY to_account",
    "debits": "SELECT from_account AS account, SUM(amount) AS debits FROM transfers GROUP BY from_account",
    "balances": """
        SELECT COALESCE(c.account, d.account) AS account, COALESCE(credits, 0) - COALESCE(debits, 0) AS balance
        FROM credits c FULL JOIN debits d ON c.account = d.account""",
    "total": "SELECT SUM(balance) AS total FROM balances",
}

Transfer = dict[str, object]


def jobs(*names: str) -> str:
    """Statements that start these views, all of them by default."""
    return ";\n".join(f"START JOB {name} AS {VIEWS[name]}" for name in names or VIEWS)


def transfers(count: int, seed: int, *, accounts: int = 12, first: int = 0) -> list[Transfer]:
    """Transfers out of order: each up to five seconds late, so that some come behind the watermark."""
    chance = random.Random(seed)
    rows: list[Transfer] = []
    for i in range(first, first + count):
        giver, taker = chance.sample(range(accounts), 2)
        rows.append(
            {
                "id": i,
                "from_account": f"a{giver}",
                "to_account": f"a{taker}",
                "amount": chance.randint(1, 100),
                "ts": 1_767_623_400_000 + i * 50 - chance.randint(0, 5_000),
            }
        )
    return rows


def balances(rows: Iterable[Transfer]) -> dict[str, int]:
    """The balance of every account that a transfer named."""
    found: Counter[str] = Counter()
    for row in rows:
        amount = int(str(row["amount"]))
        found[str(row["to_account"])] += amount
        found[str(row["from_account"])] -= amount
    return dict(found)

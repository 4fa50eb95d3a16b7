from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import pytest
from velostream_generator import DEFAULT_SYMBOLS, Episode, EpisodeKind, MarketConfig, Simulator

Simulate = Callable[[MarketConfig, int], Simulator]
Alert = dict[str, object]
RaiseAlerts = Callable[..., dict[str, list[Alert]]]

SEEDS = [42, 7]


def seen_ms(alert: Alert) -> int:
    seen = alert["seen"]
    assert isinstance(seen, datetime)
    return round(seen.replace(tzinfo=UTC).timestamp() * 1_000)


def near(alert: Alert, episodes: list[Episode], kind: EpisodeKind, *, after_ms: int, whole: bool = True) -> bool:
    """True when the alert's symbol was in such an episode, or was until `after_ms` ago."""
    return any(
        episode.kind is kind
        and episode.symbol == alert["symbol"]
        and episode.start_ms <= seen_ms(alert) <= (episode.end_ms if whole else episode.start_ms) + after_ms
        for episode in episodes
    )


def alerts_per_second(raised: dict[str, list[Alert]], start_ms: int, seconds: int) -> list[int]:
    counted = Counter((seen_ms(alert) - start_ms) // 1_000 for found in raised.values() for alert in found)
    return [counted[second] for second in range(seconds)]


@pytest.mark.parametrize("seed", SEEDS)
def test_calm_raises_volume_spikes_and_nothing_else(simulate: Simulate, alerts: RaiseAlerts, seed: int) -> None:
    simulator = simulate(MarketConfig(scenario="calm", seed=seed), 1_800)
    raised = alerts()
    assert {kind: len(found) for kind, found in raised.items() if found} == {"volume": len(raised["volume"])}
    assert simulator.episodes() == []
    assert 0.6 < len(raised["volume"]) / 1_800 < 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_volatility_jumps_past_five_percent(simulate: Simulate, alerts: RaiseAlerts, seed: int) -> None:
    simulator = simulate(MarketConfig(scenario="volatility", seed=seed), 900)
    raised = alerts("price", "imbalance", "risk", "arbitrage")
    episodes = simulator.episodes()
    assert len(episodes) > 20
    # each jump is seen once on each of the three exchanges: in its next slot, and up to 267 ms into that
    whole = [episode for episode in episodes if episode.start_ms < simulator.now_ms - 1_300]
    assert 3 * len(whole) <= len(raised["price"]) <= 3 * len(episodes)
    for alert in raised["price"]:
        assert near(alert, episodes, EpisodeKind.VOLATILITY, after_ms=1_300, whole=False)
    # quotes from before a jump cross those from after it, for less than two intervals
    for alert in raised["arbitrage"]:
        assert near(alert, episodes, EpisodeKind.VOLATILITY, after_ms=2_300, whole=False)
    assert raised["imbalance"] == raised["risk"] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_arbitrage_is_against_the_exchange_that_lags(simulate: Simulate, alerts: RaiseAlerts, seed: int) -> None:
    simulator = simulate(MarketConfig(scenario="arbitrage", seed=seed), 900)
    raised = alerts("price", "imbalance", "risk", "arbitrage")
    episodes = simulator.episodes()
    for episode in episodes[:-1]:
        found = [
            alert
            for alert in raised["arbitrage"]
            if alert["symbol"] == episode.symbol and episode.start_ms <= seen_ms(alert) <= episode.end_ms + 1_000
        ]
        assert len(found) >= 8, episode
        # at first the other exchanges' last quotes from before the move are stale as well
        stale = "asks" if episode.magnitude > 0 else "bids"
        settled = [alert for alert in found if seen_ms(alert) > episode.start_ms + 2_300]
        assert {alert[stale] for alert in settled} == {episode.exchange}
    for alert in raised["arbitrage"]:
        assert near(alert, episodes, EpisodeKind.ARBITRAGE, after_ms=1_000)
    assert raised["price"] == raised["imbalance"] == raised["risk"] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_risk_breaches_every_limit_for_a_while(simulate: Simulate, alerts: RaiseAlerts, seed: int) -> None:
    simulator = simulate(MarketConfig(scenario="risk", seed=seed), 900)
    raised = alerts("price", "imbalance", "risk", "arbitrage")
    episodes = simulator.episodes()
    kinds = Counter(alert["kind"] for alert in raised["risk"])
    assert set(kinds) == {"POSITION_LIMIT_EXCEEDED", "DAILY_LOSS_LIMIT_EXCEEDED", "POSITION_WARNING"}
    for alert in raised["risk"]:
        # until the trader's first report after the end
        assert any(
            episode.trader == alert["trader_id"] and episode.start_ms <= seen_ms(alert) < episode.end_ms + 5_000
            for episode in episodes
        )
    for episode in episodes:
        if episode.end_ms < simulator.now_ms:
            breach = "POSITION_LIMIT_EXCEEDED" if episode.kind is EpisodeKind.POSITION_LIMIT else "DAILY_LOSS"
            assert any(
                alert["trader_id"] == episode.trader
                and str(alert["kind"]).startswith(breach)
                and episode.start_ms <= seen_ms(alert) < episode.end_ms
                for alert in raised["risk"]
            ), episode
    assert raised["price"] == raised["imbalance"] == raised["arbitrage"] == []


@pytest.mark.parametrize("seed", [*SEEDS, 1, 2, 3])
def test_mixed_raises_all_five_within_a_minute_and_floods_nobody(
    simulate: Simulate, alerts: RaiseAlerts, seed: int
) -> None:
    simulator = simulate(MarketConfig(seed=seed), 300)
    raised = alerts()
    start_ms = simulator.config.start_ms
    for kind, found in raised.items():
        assert found, kind
        assert seen_ms(found[0]) <= start_ms + 60_000, kind
    per_second = alerts_per_second(raised, start_ms, 300)
    assert median(per_second[:60]) < 2
    assert median(per_second) < 2
    assert sum(per_second) / 300 < 2


@pytest.mark.parametrize("offset_s", [1, 15, 30, 45, 52, 58])
def test_an_imbalance_shows_soon_wherever_in_a_minute_the_market_starts(
    simulate: Simulate, alerts: RaiseAlerts, offset_s: int
) -> None:
    start_ms = MarketConfig().start_ms + offset_s * 1_000
    simulate(MarketConfig(start_ms=start_ms), 130)
    [first, *_] = alerts("imbalance")["imbalance"]
    # the first clock minute that ends 9 s or more after the start: a shorter piece cannot hold 10,000 shares yet
    assert seen_ms(first) <= start_ms + 69_000


@pytest.mark.parametrize("scenario", ["calm", "mixed"])
def test_nobody_breaches_a_limit_in_a_day_without_an_episode(
    simulate: Simulate, alerts: RaiseAlerts, scenario: str
) -> None:
    simulator = simulate(MarketConfig(scenario=scenario, rate=20.0, seed=9), 12 * 3_600)
    episodes = simulator.episodes()
    every_ms = simulator.config.cadence.positions_us // 1_000 + 1
    unexplained = [
        alert
        for alert in alerts("risk")["risk"]
        if not any(
            episode.trader == alert["trader_id"] and episode.start_ms <= seen_ms(alert) < episode.end_ms + every_ms
            for episode in episodes
        )
    ]
    assert unexplained == []


def test_the_first_minute_strikes_different_symbols() -> None:
    for seed in range(20):
        simulator = Simulator(MarketConfig(seed=seed))
        first = simulator.episodes(simulator.config.start_ms + 60_000)
        assert len({episode.symbol for episode in first}) == len(first) == 5


@pytest.mark.parametrize("scenario", ["volatility", "arbitrage", "risk", "mixed"])
@pytest.mark.parametrize("traders", [1, 3])
def test_a_market_of_one_symbol_has_its_episodes_one_at_a_time(scenario: str, traders: int) -> None:
    simulator = Simulator(MarketConfig(symbols=DEFAULT_SYMBOLS[:1], scenario=scenario, traders=traders))
    simulator.step(1_800_000)
    for kind in EpisodeKind:
        episodes = [episode for episode in simulator.episodes() if episode.kind is kind]
        by_subject: dict[object, int] = {}
        for episode in episodes:
            subject = (episode.symbol, episode.trader)
            assert by_subject.get(subject, 0) <= episode.start_ms
            by_subject[subject] = episode.end_ms

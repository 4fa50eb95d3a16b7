-- SQL Application: Financial Trading Analytics
-- Version: 1.0.0
-- Description: Price alerts, volume spikes, risk, order flow and arbitrage on live market data
-- Author: Trading Desk
-- Dependencies: market_data, trading_positions, order_book_updates
-- Tag: environment:demo

-- ====================================================================================
-- 1. Price movements
-- ====================================================================================
-- Name: Price Movement Detection
-- Property: replicas=2
-- Property: topics=market_data
START JOB price_movement_detection AS
SELECT
    symbol,
    exchange,
    price,
    LAG(price, 1) OVER (PARTITION BY symbol, exchange ORDER BY timestamp) AS prev_price,
    ((price - LAG(price, 1) OVER (PARTITION BY symbol, exchange ORDER BY timestamp)) /
        LAG(price, 1) OVER (PARTITION BY symbol, exchange ORDER BY timestamp)) * 100 AS price_change_pct,
    volume,
    timestamp() AS detection_time
FROM market_data
WHERE ABS((price - LAG(price, 1) OVER (PARTITION BY symbol, exchange ORDER BY timestamp)) /
        LAG(price, 1) OVER (PARTITION BY symbol, exchange ORDER BY timestamp)) * 100 > 5.0
WITH ('output.topic' = 'price_alerts');

-- Name: Volume Spike Detection
-- Property: replicas=2
START JOB volume_spike_detection AS
SELECT
    symbol,
    exchange,
    price,
    volume,
    AVG(volume) OVER (
        PARTITION BY symbol, exchange
        ORDER BY timestamp
        ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING
    ) AS avg_volume_20,
    volume / AVG(volume) OVER (
        PARTITION BY symbol, exchange
        ORDER BY timestamp
        ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING
    ) AS volume_ratio,
    timestamp() AS detection_time
FROM market_data
WHERE volume > 3 * AVG(volume) OVER (
    PARTITION BY symbol, exchange
    ORDER BY timestamp
    ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING
)
WITH ('output.topic' = 'volume_spikes');

-- Name: Risk Management Monitor
-- Property: alert.level=critical
START JOB risk_management_monitor AS
SELECT
    trader_id,
    p.symbol,
    position_size,
    price AS current_price,
    ABS(position_size * price) AS position_value,
    current_pnl,
    SUM(current_pnl) OVER (PARTITION BY trader_id) AS total_pnl,
    CASE
        WHEN ABS(position_size * price) > 1000000 THEN 'POSITION_LIMIT_EXCEEDED'
        WHEN SUM(current_pnl) OVER (PARTITION BY trader_id) < -50000 THEN 'DAILY_LOSS_LIMIT_EXCEEDED'
        WHEN ABS(position_size * price) > 500000 THEN 'POSITION_WARNING'
        ELSE 'WITHIN_LIMITS'
    END AS risk_status,
    timestamp() AS check_time
FROM trading_positions p
JOIN market_data m ON p.symbol = m.symbol
WHERE ABS(position_size * price) > 500000
   OR SUM(current_pnl) OVER (PARTITION BY trader_id) < -50000
WITH ('output.topic' = 'risk_alerts');

-- Name: Order Flow Imbalance
-- Property: window=1m
START JOB order_flow_imbalance AS
SELECT
    symbol,
    SUM(CASE WHEN side = 'BUY' THEN quantity ELSE 0 END) AS buy_volume,
    SUM(CASE WHEN side = 'SELL' THEN quantity ELSE 0 END) AS sell_volume,
    SUM(quantity) AS total_volume,
    SUM(CASE WHEN side = 'BUY' THEN quantity ELSE 0 END) / SUM(quantity) AS buy_ratio,
    timestamp() AS analysis_time
FROM order_book_updates
WHERE timestamp >= timestamp() - INTERVAL '1' MINUTE
GROUP BY symbol
HAVING SUM(quantity) >= 10000
   AND (SUM(CASE WHEN side = 'BUY' THEN quantity ELSE 0 END) / SUM(quantity) > 0.7
     OR SUM(CASE WHEN side = 'SELL' THEN quantity ELSE 0 END) / SUM(quantity) > 0.7)
WITH ('output.topic' = 'order_imbalance_alerts');

-- Name: Arbitrage Detection
-- Property: exchanges=NYSE,NASDAQ,BATS
START JOB arbitrage_detection AS
SELECT
    a.symbol,
    a.exchange AS exchange_a,
    b.exchange AS exchange_b,
    a.bid_price AS bid_a,
    b.ask_price AS ask_b,
    a.bid_price - b.ask_price AS spread,
    (a.bid_price - b.ask_price) / b.ask_price * 10000 AS spread_bps,
    LEAST(a.bid_size, b.ask_size) AS available_volume,
    (a.bid_price - b.ask_price) * LEAST(a.bid_size, b.ask_size) AS potential_profit,
    timestamp() AS opportunity_time
FROM market_data a
JOIN market_data b ON a.symbol = b.symbol AND a.exchange != b.exchange
WHERE a.bid_price > b.ask_price
  AND (a.bid_price - b.ask_price) / b.ask_price * 10000 >= 10
WITH ('output.topic' = 'arbitrage_opportunities');

-- SQL Application: Financial trading
-- Version: 1.0.0
-- Description: five jobs on live market data: price moves, volume spikes, risk limits, order flow, arbitrage

-- One row a second per symbol and exchange. Event time is epoch milliseconds in JSON.
CREATE STREAM IF NOT EXISTS market_data (
    symbol      VARCHAR NOT NULL,
    exchange    VARCHAR,
    price       DOUBLE NOT NULL,
    bid_price   DOUBLE,
    ask_price   DOUBLE,
    bid_size    BIGINT,
    ask_size    BIGINT,
    volume      BIGINT,
    timestamp   TIMESTAMP NOT NULL
) WITH ('event.time.field' = 'timestamp');

-- What each trader holds, every five seconds: negative sizes are short.
CREATE STREAM IF NOT EXISTS trading_positions (
    trader_id       VARCHAR NOT NULL,
    symbol          VARCHAR NOT NULL,
    position_size   BIGINT NOT NULL,
    avg_price       DOUBLE,
    current_pnl     DOUBLE,
    timestamp       TIMESTAMP NOT NULL
) WITH ('event.time.field' = 'timestamp');

-- Orders as they enter the book, three to ten per symbol every two seconds.
CREATE STREAM IF NOT EXISTS order_book_updates (
    symbol      VARCHAR NOT NULL,
    side        VARCHAR NOT NULL,  -- BUY or SELL
    price       DOUBLE,
    quantity    BIGINT NOT NULL,
    order_type  VARCHAR,           -- LIMIT or MARKET
    timestamp   TIMESTAMP NOT NULL
) WITH ('event.time.field' = 'timestamp');

-- A price that moves by more than 5 % from one quote to the next.
START JOB price_movements AS
SELECT
    symbol,
    exchange,
    price,
    LAG(price) OVER feed                               AS prev_price,
    ROUND((price - prev_price) / prev_price * 100, 2)  AS price_change_pct,
    volume,
    timestamp                                          AS detection_time
FROM market_data
QUALIFY ABS((price - prev_price) / prev_price * 100) > 5
WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp)
WITH ('output.topic' = 'price_alerts');

-- Volume above three times the average of the 20 quotes before it.
START JOB volume_spikes AS
SELECT
    symbol,
    exchange,
    price,
    volume,
    AVG(volume) OVER last_20          AS avg_volume_20,
    ROUND(volume / avg_volume_20, 2)  AS volume_ratio,
    timestamp                         AS detection_time
FROM market_data
QUALIFY volume > 3 * avg_volume_20 AND COUNT(volume) OVER last_20 = 20
WINDOW last_20 AS (
    PARTITION BY symbol, exchange ORDER BY timestamp
    ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING
)
WITH ('output.topic' = 'volume_spikes');

-- Positions at the latest price against their limits, and each trader's total P&L against the daily loss limit.
-- The total is over the latest row of each of the trader's positions: a new row replaces the P&L of the one before it,
-- so the total moves by the difference.
START JOB risk_limits AS
WITH valued AS (
    SELECT
        p.trader_id,
        p.symbol,
        p.position_size,
        m.price,
        ABS(p.position_size * m.price)  AS position_value,
        p.current_pnl,
        COALESCE(p.current_pnl, 0) - COALESCE(
            LAG(p.current_pnl) OVER (PARTITION BY p.trader_id, p.symbol ORDER BY p.timestamp), 0
        )                               AS pnl_change,
        p.timestamp
    FROM trading_positions p
    ASOF LEFT JOIN market_data m ON p.symbol = m.symbol AND p.timestamp >= m.timestamp
),
totals AS (
    SELECT *, SUM(pnl_change) OVER (PARTITION BY trader_id ORDER BY timestamp) AS total_pnl
    FROM valued
)
SELECT
    trader_id,
    symbol,
    position_size,
    price,
    ROUND(position_value, 2)  AS position_value,
    current_pnl,
    ROUND(total_pnl, 2)       AS total_pnl,
    CASE
        WHEN totals.position_value > 1000000 THEN 'POSITION_LIMIT_EXCEEDED'
        WHEN totals.total_pnl < -50000       THEN 'DAILY_LOSS_LIMIT_EXCEEDED'
        ELSE 'POSITION_WARNING'
    END                       AS alert_type,
    timestamp                 AS detection_time
FROM totals
WHERE totals.position_value > 500000 OR totals.total_pnl < -50000
WITH ('output.topic' = 'risk_alerts');

-- More than 70 % of at least 10,000 shares on one side of the book within a minute, looked at every ten seconds.
START JOB order_imbalance AS
SELECT
    symbol,
    SUM(quantity) FILTER (WHERE side = 'BUY')    AS buy_volume,
    SUM(quantity) FILTER (WHERE side = 'SELL')   AS sell_volume,
    SUM(quantity)                                AS total_volume,
    ROUND(COALESCE(buy_volume, 0) / total_volume, 4)  AS buy_ratio,
    window_start,
    window_end
FROM order_book_updates
GROUP BY symbol, HOP(timestamp, INTERVAL '10' SECOND, INTERVAL '1' MINUTE)
HAVING total_volume >= 10000
   AND GREATEST(COALESCE(buy_volume, 0), COALESCE(sell_volume, 0)) > 0.7 * total_volume
WITH ('output.topic' = 'order_imbalance_alerts');

-- A bid on one exchange at least 10 bps above the ask on another, quotes at most a second apart.
START JOB arbitrage AS
SELECT
    buy.symbol,
    buy.exchange                                                      AS buy_exchange,
    sell.exchange                                                     AS sell_exchange,
    buy.ask_price,
    sell.bid_price,
    ROUND(sell.bid_price - buy.ask_price, 4)                          AS spread,
    ROUND((sell.bid_price - buy.ask_price) / buy.ask_price * 1e4, 1)  AS spread_bps,
    LEAST(buy.ask_size, sell.bid_size)                                AS available_volume,
    ROUND((sell.bid_price - buy.ask_price) * available_volume, 2)     AS potential_profit,
    GREATEST(buy.timestamp, sell.timestamp)                           AS detection_time
FROM market_data buy
JOIN market_data sell
  ON buy.symbol = sell.symbol
 AND buy.exchange <> sell.exchange
 AND sell.timestamp BETWEEN buy.timestamp - INTERVAL '1' SECOND AND buy.timestamp + INTERVAL '1' SECOND
WHERE (sell.bid_price - buy.ask_price) / buy.ask_price * 1e4 >= 10
WITH ('output.topic' = 'arbitrage_opportunities');

-- SQL Application: Nexmark q5
-- Version: 1.0.0
-- Description: Hot items

CREATE STREAM IF NOT EXISTS bid (
    auction   BIGINT NOT NULL,
    bidder    BIGINT NOT NULL,
    price     BIGINT NOT NULL,
    channel   VARCHAR,
    url       VARCHAR,
    dateTime  TIMESTAMP NOT NULL,
    extra     VARCHAR,
    WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
);

-- Which auctions had the most bids in the last ten seconds? Asked every two seconds.
START JOB q5 AS
WITH counts AS (
    SELECT auction, COUNT(*) AS num, window_start, window_end
    FROM bid
    GROUP BY auction, HOP(dateTime, INTERVAL '2' SECOND, INTERVAL '10' SECOND)
)
SELECT c.auction, c.num, c.window_end
FROM counts c
JOIN (SELECT MAX(num) AS most, window_start, window_end FROM counts GROUP BY window_start, window_end) AS m
  ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.num >= m.most
WITH ('output.topic' = 'nexmark_q5');

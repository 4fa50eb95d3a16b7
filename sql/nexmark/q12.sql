-- SQL Application: Nexmark q12
-- Version: 1.0.0
-- Description: Windows of ten seconds

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

-- How many bids somebody made in ten seconds.
-- The benchmark counts by the clock on the wall, which has no batch answer; here the windows are of event time.
START JOB q12 AS
SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
FROM bid
GROUP BY bidder, TUMBLE(dateTime, INTERVAL '10' SECOND)
WITH ('output.topic' = 'nexmark_q12');

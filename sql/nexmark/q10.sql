-- SQL Application: Nexmark q10
-- Version: 1.0.0
-- Description: Log to file system

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

-- Bids with the day and the minute that partition the log.
-- The benchmark writes a file a partition; here files are what a run is given: velo run q10.sql --sink nexmark_q10=bids.parquet
START JOB q10 AS
SELECT auction, bidder, price, dateTime, extra,
       strftime(dateTime, '%Y-%m-%d') AS dt, strftime(dateTime, '%H:%M') AS hm
FROM bid
WITH ('output.topic' = 'nexmark_q10');

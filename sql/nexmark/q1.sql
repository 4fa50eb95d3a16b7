-- SQL Application: Nexmark q1
-- Version: 1.0.0
-- Description: Currency conversion

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

-- Prices of bids in euros.
START JOB q1 AS
SELECT auction, bidder, 0.908 * price AS price, dateTime, extra
FROM bid
WITH ('output.topic' = 'nexmark_q1');

-- SQL Application: Nexmark q2
-- Version: 1.0.0
-- Description: Selection

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

-- Bids on some auctions.
START JOB q2 AS
SELECT auction, price
FROM bid
WHERE auction % 123 = 0
WITH ('output.topic' = 'nexmark_q2');

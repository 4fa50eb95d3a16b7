-- SQL Application: Nexmark q18
-- Version: 1.0.0
-- Description: Find last bid

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

-- The newest bid of each bidder on each auction.
START JOB q18 AS
SELECT auction, bidder, price, channel, url, dateTime, extra
FROM bid
QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) = 1
WITH ('output.topic' = 'nexmark_q18');

-- SQL Application: Nexmark q0
-- Version: 1.0.0
-- Description: Pass through

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

-- Every bid as it is: what reading, decoding and writing cost.
START JOB q0 AS
SELECT auction, bidder, price, dateTime, extra
FROM bid
WITH ('output.topic' = 'nexmark_q0');

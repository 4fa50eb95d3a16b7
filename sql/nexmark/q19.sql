-- SQL Application: Nexmark q19
-- Version: 1.0.0
-- Description: Auction TOP-10 price

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

-- The ten highest bids of each auction.
START JOB q19 AS
SELECT auction, bidder, price, channel, url, dateTime, extra,
       ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, dateTime, bidder) AS rank_number
FROM bid
QUALIFY rank_number <= 10
WITH ('output.topic' = 'nexmark_q19');

-- SQL Application: Nexmark q9
-- Version: 1.0.0
-- Description: Winning bids

CREATE STREAM IF NOT EXISTS auction (
    id           BIGINT NOT NULL,
    itemName     VARCHAR,
    description  VARCHAR,
    initialBid   BIGINT,
    reserve      BIGINT,
    dateTime     TIMESTAMP NOT NULL,
    expires      TIMESTAMP,
    seller       BIGINT,
    category     BIGINT,
    extra        VARCHAR,
    WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
);

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

-- The best bid of each auction, as long as it is open: of equal bids the first.
START JOB q9 AS
SELECT a.id, a.itemName, a.initialBid, a.reserve, a.dateTime, a.expires, a.seller, a.category,
       b.bidder, b.price, b.dateTime AS bid_dateTime
FROM auction a
JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime, b.bidder) = 1
WITH ('join.within' = 'unbounded', 'output.topic' = 'nexmark_q9');

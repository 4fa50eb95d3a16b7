-- SQL Application: Nexmark q6
-- Version: 1.0.0
-- Description: Average selling price by seller

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

-- What the last ten auctions of each seller closed at, on average.
-- Flink leaves this query out: a frame (ROWS 10 PRECEDING) over rows that may still change. Here the winning bids are
-- a changelog, and the newest ten of a seller are taken out of a list; a seller whose auction changes is answered anew.
START JOB q6 AS
WITH winning AS (
    SELECT a.id, a.seller, b.price, b.dateTime
    FROM auction a
    JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
    QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime, b.bidder) = 1
)
SELECT seller, list_avg(list(price ORDER BY dateTime DESC, id DESC)[1:10]) AS average
FROM winning
GROUP BY seller
WITH ('join.within' = 'unbounded', 'output.topic' = 'nexmark_q6');

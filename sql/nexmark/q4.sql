-- SQL Application: Nexmark q4
-- Version: 1.0.0
-- Description: Average price for a category

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

-- What auctions of a category close at, on average, so far: the highest bid in time of each, averaged.
START JOB q4 AS
SELECT category, AVG(final) AS average
FROM (
    SELECT a.id, a.category, MAX(b.price) AS final
    FROM auction a
    JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
    GROUP BY a.id, a.category
) AS closing
GROUP BY category
WITH ('join.within' = 'unbounded', 'output.topic' = 'nexmark_q4');

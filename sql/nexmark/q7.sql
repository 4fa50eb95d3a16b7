-- SQL Application: Nexmark q7
-- Version: 1.0.0
-- Description: Highest bid

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

-- The highest bids of every ten seconds.
START JOB q7 AS
SELECT b.auction, b.price, b.bidder, b.dateTime
FROM bid b
JOIN (
    SELECT MAX(price) AS most, window_end
    FROM bid
    GROUP BY TUMBLE(dateTime, INTERVAL '10' SECOND)
) AS m ON b.price = m.most AND b.dateTime BETWEEN m.window_end - INTERVAL '10' SECOND AND m.window_end
WITH ('output.topic' = 'nexmark_q7');

-- SQL Application: Nexmark q14
-- Version: 1.0.0
-- Description: Calculation

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

-- Bids in a range of euros, with the time of day and a count of letters.
START JOB q14 AS
SELECT auction, bidder, 0.908 * price AS price,
       CASE
           WHEN hour(dateTime) BETWEEN 8 AND 18 THEN 'dayTime'
           WHEN hour(dateTime) <= 6 OR hour(dateTime) >= 20 THEN 'nightTime'
           ELSE 'otherTime'
       END AS bidTimeType,
       dateTime, extra,
       length(extra) - length(replace(extra, 'c', '')) AS c_counts
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000
WITH ('output.topic' = 'nexmark_q14');

-- SQL Application: Nexmark q13
-- Version: 1.0.0
-- Description: Bounded side input

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

-- Each bid with a text from a small table that never changes.
START JOB q13 AS
SELECT b.auction, b.bidder, b.price, b.dateTime, s.value
FROM bid b
JOIN (VALUES
    (0, 'zero'), (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four'),
    (5, 'five'), (6, 'six'), (7, 'seven'), (8, 'eight'), (9, 'nine')
) AS s(key, value) ON b.auction % 10 = s.key
WITH ('output.topic' = 'nexmark_q13');

-- SQL Application: Nexmark q8
-- Version: 1.0.0
-- Description: Monitor new users

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

CREATE STREAM IF NOT EXISTS person (
    id            BIGINT NOT NULL,
    name          VARCHAR,
    emailAddress  VARCHAR,
    creditCard    VARCHAR,
    city          VARCHAR,
    state         VARCHAR,
    dateTime      TIMESTAMP NOT NULL,
    extra         VARCHAR,
    WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
);

-- Who came and opened an auction within the same ten seconds?
START JOB q8 AS
SELECT p.id, p.name, p.window_start
FROM (
    SELECT id, name, window_start, window_end
    FROM person
    GROUP BY id, name, TUMBLE(dateTime, INTERVAL '10' SECOND)
) AS p
JOIN (
    SELECT seller, window_start, window_end
    FROM auction
    GROUP BY seller, TUMBLE(dateTime, INTERVAL '10' SECOND)
) AS a ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end
WITH ('output.topic' = 'nexmark_q8');

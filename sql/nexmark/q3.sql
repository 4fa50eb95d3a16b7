-- SQL Application: Nexmark q3
-- Version: 1.0.0
-- Description: Local item suggestion

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

-- Who sells in category 10 in Oregon, Idaho or California?
-- An auction may open long after its seller came, or a little before: all rows join.
START JOB q3 AS
SELECT p.name, p.city, p.state, a.id
FROM auction a
JOIN person p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
WITH ('join.within' = 'unbounded', 'output.topic' = 'nexmark_q3');

-- Tables for what Andon gateways publish, for PostgreSQL 12 or later. Apply with
--     psql -v ON_ERROR_STOP=1 -f tables.sql -f figures.sql
-- and store every message with
--     SELECT andon_store(topic, payload);
-- which may be given the same message any number of times, and messages in any order.

-- Every record once, as it came. `head` is the topic up to the gateway, `tail` what follows it.
CREATE TABLE andon_record (
    head       text   NOT NULL,
    tail       text   NOT NULL,
    run        text   NOT NULL,
    seq        bigint NOT NULL,
    boot       bigint NOT NULL,
    ts         bigint NOT NULL,              -- made then; milliseconds since 1970, UTC
    historical boolean NOT NULL,
    received   timestamptz NOT NULL DEFAULT now(),
    body       jsonb  NOT NULL,
    PRIMARY KEY (head, run, seq)             -- the de-duplication key
);
CREATE INDEX andon_record_by_time ON andon_record (head, tail, ts);

-- The newest edition of every window. The columns have the names of the keys of the payload and are
-- filled by name; what is not needed here stays in andon_record.body.
CREATE TABLE andon_kpi_edition (
    head text NOT NULL, device text NOT NULL, line text, "window" text NOT NULL,
    shift text, shift_date date, crew text,
    start_ms bigint NOT NULL, end_ms bigint NOT NULL, window_ms bigint NOT NULL,
    fold bigint NOT NULL, rev bigint NOT NULL, merged bigint NOT NULL,
    producing_ms bigint NOT NULL, setup_ms bigint NOT NULL, delayed_ms bigint NOT NULL,
    faulted_ms bigint NOT NULL, idle_ms bigint NOT NULL, planned_stop_ms bigint NOT NULL,
    unknown_ms bigint NOT NULL, uncounted_ms bigint NOT NULL,
    good bigint, scrap bigint, total bigint,
    gap_total bigint, gap_before_ms bigint, gap_after_ms bigint,
    failures bigint NOT NULL, repairs bigint NOT NULL, repair_ms bigint NOT NULL,
    capacity bigint, capacity_producing bigint, capacity_uncounted bigint,
    unrated_ms bigint, unrated_producing_ms bigint, rated_per_h numeric,
    capacity_utilisation numeric, availability numeric, fault_time_ratio numeric,
    oee numeric, effectiveness numeric, quality_ratio numeric, fault_rate_per_h numeric,
    mtbf_s numeric, mttr_s numeric, throughput_per_h numeric, coverage numeric, reason text,
    PRIMARY KEY (head, device, "window", start_ms, fold)
);

-- Current values: what the broker retains.
CREATE TABLE andon_current (
    head text NOT NULL,
    tail text NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (head, tail)
);

-- What is no message of a gateway, to be looked at by a person.
CREATE TABLE andon_refused (
    received timestamptz NOT NULL DEFAULT now(),
    topic    text NOT NULL,
    payload  text NOT NULL,
    why      text NOT NULL
);

CREATE FUNCTION andon_store(topic text, payload text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parts text[] := regexp_match(topic, '^(.+?/v1/[^/]+/[^/]+/[^/]+)/(.+)$');
    of_head text := parts[1];
    of_tail text := parts[2];
    said jsonb;
    of_window andon_kpi_edition;
BEGIN
    IF parts IS NULL THEN
        RAISE EXCEPTION 'not a topic of a gateway: %', topic USING ERRCODE = 'data_exception';
    END IF;
    IF of_tail LIKE 'cmd/%' THEN             -- a command to a gateway: it may carry a secret
        RETURN;
    END IF;
    IF payload = '' THEN                     -- a current value that holds no more
        DELETE FROM andon_current WHERE head = of_head AND tail = of_tail;
        RETURN;
    END IF;
    said := payload::jsonb;
    IF jsonb_typeof(said) <> 'object' THEN
        RAISE EXCEPTION 'not an object' USING ERRCODE = 'data_exception';
    END IF;
    IF NOT said ? 'seq' THEN                 -- only records are numbered
        INSERT INTO andon_current VALUES (of_head, of_tail, said)
        ON CONFLICT (head, tail) DO UPDATE SET body = excluded.body;
        RETURN;
    END IF;
    INSERT INTO andon_record (head, tail, run, seq, boot, ts, historical, body)
    VALUES (of_head, of_tail, said->>'run', (said->>'seq')::bigint, (said->>'boot')::bigint,
            (said->>'ts')::bigint, (said->>'historical')::boolean, said)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND OR of_tail NOT LIKE '%/kpi/%' THEN
        RETURN;
    END IF;
    of_window := jsonb_populate_record(NULL::andon_kpi_edition,
                                       said || jsonb_build_object('head', of_head));
    -- Of one key the highest `rev` counts, whichever comes first.
    DELETE FROM andon_kpi_edition AS old
    WHERE (old.head, old.device, old."window", old.start_ms, old.fold)
        = (of_window.head, of_window.device, of_window."window", of_window.start_ms, of_window.fold)
      AND (old.rev, old.merged) < (of_window.rev, of_window.merged);
    INSERT INTO andon_kpi_edition VALUES (of_window.*) ON CONFLICT DO NOTHING;
END $$;

-- The windows that count: one that stands for several (`merged`) replaces those that it covers.
CREATE VIEW andon_kpi AS
SELECT * FROM andon_kpi_edition AS one
WHERE NOT EXISTS (
    SELECT FROM andon_kpi_edition AS more
    WHERE (more.head, more.device, more."window", more.fold)
        = (one.head, one.device, one."window", one.fold)
      AND more.merged > one.merged
      AND more.start_ms <= one.start_ms AND one.end_ms <= more.end_ms
);
CREATE INDEX andon_kpi_merged ON andon_kpi_edition (head, device, "window", fold, start_ms)
WHERE merged > 1;

-- The journal.
CREATE VIEW andon_event AS
SELECT head, to_timestamp(ts / 1000.0) AS at, body->>'clock' AS clock, body->>'event' AS event,
       body->>'device' AS device, body->>'what' AS what, body->>'from' AS "from",
       body->>'to' AS "to", body->>'cause' AS cause, body->>'by' AS "by", body->>'via' AS via,
       body->>'why' AS why, body, run, seq
FROM andon_record WHERE tail = 'event';

-- Current values that can be believed: their gateway is online, and it is the one that said them.
CREATE VIEW andon_live AS
SELECT said.head, said.tail, said.body
FROM andon_current AS said
JOIN andon_current AS gateway ON gateway.head = said.head AND gateway.tail = 'status'
WHERE gateway.body->>'status' = 'online' AND gateway.body->>'run' = said.body->>'run';

-- Numbers that have not come and that no event tells as lost or merged: below the newest of their
-- run they are on their way, or this subscriber has missed them.
CREATE VIEW andon_missing AS
WITH gaps AS (
    SELECT head, run, seq + 1 AS first,
           lead(seq) OVER (PARTITION BY head, run ORDER BY seq) - 1 AS last
    FROM (SELECT head, run, seq FROM andon_record
          UNION ALL SELECT DISTINCT head, run, 0 FROM andon_record) AS numbers
)
SELECT head, run, missing AS seq
FROM gaps, generate_series(first, last) AS missing
WHERE NOT EXISTS (
    SELECT FROM andon_event AS told
    WHERE told.head = gaps.head AND told.event IN ('loss', 'merged')
      AND told.body->>'of_run' = gaps.run
      AND missing BETWEEN (told.body->>'seq_from')::bigint AND (told.body->>'seq_to')::bigint
);

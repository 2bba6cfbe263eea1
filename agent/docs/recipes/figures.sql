-- Figures over any time and any machines: sum the parts, then compute. Ratios are never averaged.
-- The result is what the agent would have computed, to the last decimal.
--
--     a machine over a week            SELECT * FROM andon_by_device('1h', FROM_MS, TO_MS);
--     the same by local day            ... andon_by_device('1h', FROM_MS, TO_MS, 'day', 'Asia/Shanghai')
--     each shift of each line          SELECT * FROM andon_line_shift;
--     one row for all machines         SELECT f.* FROM andon_total('1d', FROM_MS, TO_MS) AS f;
--
-- Take one tier at a time: a `1h` window and the `1m` windows in it say the same twice.

-- What is added up. A figure of counts is made only of machines that have all it needs: those parts
-- are kept apart.
CREATE TYPE andon_sums AS (
    devices numeric, window_ms numeric, producing_ms numeric, setup_ms numeric, delayed_ms numeric,
    faulted_ms numeric, idle_ms numeric, planned_stop_ms numeric, unknown_ms numeric,
    uncounted_ms numeric, good numeric, scrap numeric, total numeric, gap_total numeric,
    failures numeric, repairs numeric, repair_ms numeric,
    capacity numeric, capacity_producing numeric, capacity_uncounted numeric,
    -- of machines with a rated rate and a count of all parts, and no gap cut by either end of the time
    all_made numeric, all_possible numeric, all_uncounted numeric, all_planned numeric, all_unrated numeric,
    -- the same with a count of good parts
    good_made numeric, good_possible numeric, good_uncounted numeric, good_planned numeric, good_unrated numeric,
    -- of machines with a rated rate and a count of all parts, while producing
    run_made numeric, run_possible numeric, run_ms numeric, run_unrated numeric,
    -- of machines with a count of all parts; of good ones, too
    busy_made numeric, busy_ms numeric, judged_good numeric, judged_total numeric
);

-- A quotient as the agent writes it: so many decimals, rounded half up, null if nothing is there to
-- divide by.
CREATE FUNCTION andon_quotient(of numeric, by numeric, ten numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN by > 0 THEN trim_scale(div(of * ten + div(by, 2), by) / ten) END
$$;

-- What is left of a total, never below 0.
CREATE FUNCTION andon_rest(total numeric, part numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN total < part THEN 0 ELSE total - part END
$$;

-- Machines by their windows of one tier that lie within a time; `grain` is total, shift, or a word of
-- date_trunc (hour, day, week, month) in the time zone.
CREATE FUNCTION andon_sums_by_device(
    tier text, from_ms bigint, to_ms bigint, grain text DEFAULT 'total', zone text DEFAULT 'UTC'
) RETURNS TABLE (head text, device text, line text, period text, sums andon_sums)
LANGUAGE sql STABLE AS $$
    WITH windows AS (
        SELECT k.*, k.window_ms - k.planned_stop_ms AS planned_ms,
               sum(k.window_ms) OVER (PARTITION BY k.head, k.device, k.period ORDER BY k.start_ms)
                   - k.window_ms AS since_ms,
               coalesce(k.unrated_ms, 0) AS unrated, coalesce(k.unrated_producing_ms, 0) AS unrated_run
        FROM (
            SELECT k.*,
                   CASE grain
                       WHEN 'total' THEN ''
                       WHEN 'shift' THEN concat_ws(' ', k.shift_date, k.shift)
                       ELSE to_char(date_trunc(grain, to_timestamp(k.start_ms / 1000.0) AT TIME ZONE zone),
                                    'YYYY-MM-DD HH24:MI')
                   END AS period
            FROM andon_kpi AS k
            WHERE k."window" = tier AND k.start_ms >= from_ms AND k.end_ms <= to_ms
        ) AS k
    ), added AS (
        SELECT w.head, w.device, max(w.line) AS line, w.period,
            sum(window_ms) AS window_ms, sum(producing_ms) AS producing_ms, sum(setup_ms) AS setup_ms,
            sum(delayed_ms) AS delayed_ms, sum(faulted_ms) AS faulted_ms, sum(idle_ms) AS idle_ms,
            sum(planned_stop_ms) AS planned_stop_ms, sum(unknown_ms) AS unknown_ms,
            sum(uncounted_ms) AS uncounted_ms, sum(planned_ms) AS planned_ms,
            sum(unrated) AS unrated_ms, sum(unrated_run) AS unrated_producing_ms,
            sum(gap_total) AS gap_total,
            -- Whether a gap began before all of them, or was still open in the last one.
            greatest(max(coalesce(gap_before_ms, 0) - since_ms),
                     (array_agg(coalesce(gap_after_ms, 0) ORDER BY start_ms DESC))[1]) > 0 AS cuts_gap,
            sum(failures) AS failures, sum(repairs) AS repairs,
            sum(repair_ms) AS repair_ms,
            -- Of three counts one may follow from the two others, and is null where one of them is:
            -- it follows from their sums.
            CASE WHEN bool_or(good IS NULL) AND bool_and((good IS NULL) = (scrap IS NULL OR total IS NULL))
                 THEN andon_rest(sum(total), sum(scrap)) ELSE sum(good) END AS good,
            CASE WHEN bool_or(scrap IS NULL) AND bool_and((scrap IS NULL) = (good IS NULL OR total IS NULL))
                 THEN andon_rest(sum(total), sum(good)) ELSE sum(scrap) END AS scrap,
            CASE WHEN bool_or(total IS NULL) AND bool_and((total IS NULL) = (good IS NULL OR scrap IS NULL))
                 THEN sum(good) + sum(scrap) ELSE sum(total) END AS total,
            -- Where some planned time has no capacity, the rest is no measure for all that was made.
            NOT bool_or(capacity IS NULL AND planned_ms > unrated) AS is_rated,
            sum(capacity) AS capacity, sum(capacity_producing) AS capacity_producing,
            sum(capacity_uncounted) AS capacity_uncounted
        FROM windows AS w GROUP BY w.head, w.device, w.period
    ), rated AS (
        SELECT a.*, is_rated AND capacity IS NOT NULL AND total IS NOT NULL AS of_run,
               is_rated AND capacity IS NOT NULL AND total IS NOT NULL AND NOT cuts_gap AS of_all,
               is_rated AND capacity IS NOT NULL AND good IS NOT NULL AND NOT cuts_gap AS of_good
        FROM added AS a
    )
    SELECT head, device, line, period, ROW(
        1, window_ms, producing_ms, setup_ms, delayed_ms, faulted_ms, idle_ms, planned_stop_ms,
        unknown_ms, uncounted_ms, good, scrap, total, gap_total, failures, repairs, repair_ms,
        CASE WHEN is_rated THEN capacity END, CASE WHEN is_rated THEN capacity_producing END,
        CASE WHEN is_rated THEN capacity_uncounted END,
        CASE WHEN of_all THEN total END, CASE WHEN of_all THEN capacity END,
        CASE WHEN of_all THEN capacity_uncounted END, CASE WHEN of_all THEN planned_ms END,
        CASE WHEN of_all THEN unrated_ms END,
        CASE WHEN of_good THEN good END, CASE WHEN of_good THEN capacity END,
        CASE WHEN of_good THEN capacity_uncounted END, CASE WHEN of_good THEN planned_ms END,
        CASE WHEN of_good THEN unrated_ms END,
        CASE WHEN of_run THEN total - coalesce(gap_total, 0) END,
        CASE WHEN of_run THEN capacity_producing END, CASE WHEN of_run THEN producing_ms END,
        CASE WHEN of_run THEN unrated_producing_ms END,
        total - coalesce(gap_total, 0),
        CASE WHEN total IS NOT NULL THEN producing_ms + setup_ms + delayed_ms + faulted_ms END,
        CASE WHEN total IS NOT NULL THEN good END, CASE WHEN good IS NOT NULL THEN total END
    )::andon_sums
    FROM rated
$$;

-- Parts made of parts possible. Time without a rated rate (`unrated_ms`) is taken to be like the rest.
CREATE FUNCTION andon_of_rated(
    made numeric, possible numeric, ms numeric, unrated_ms numeric, min_coverage numeric
) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN unrated_ms = 0 THEN andon_quotient(made * 1000, possible, 10000)
        WHEN ms > unrated_ms AND ms - unrated_ms >= ms * min_coverage
            THEN andon_quotient(made * 1000 * (ms - unrated_ms), possible * ms, 10000)
    END
$$;

-- The figures of sums. `min_coverage` and `min_exposure_ms` are those of the configuration.
CREATE FUNCTION andon_figures(
    s andon_sums, min_coverage numeric DEFAULT 0.5, min_exposure_ms numeric DEFAULT 1800000
) RETURNS TABLE (
    planned_ms numeric, coverage numeric, availability numeric, fault_time_ratio numeric,
    allocation_efficiency numeric, utilisation_efficiency numeric, technical_efficiency numeric,
    capacity_utilisation numeric, oee numeric, effectiveness numeric, quality_ratio numeric,
    fault_rate_per_h numeric, mtbf_s numeric, mttr_s numeric, throughput_per_h numeric
) LANGUAGE sql IMMUTABLE AS $$
    SELECT p.planned, andon_quotient(p.known, p.planned, 10000),
        CASE WHEN covered THEN andon_quotient(s.producing_ms, p.known, 10000) END,
        CASE WHEN covered THEN andon_quotient(s.faulted_ms, p.known, 10000) END,
        CASE WHEN covered THEN andon_quotient(p.busy, p.known, 10000) END,
        CASE WHEN covered THEN andon_quotient(s.producing_ms, p.busy, 10000) END,
        CASE WHEN covered THEN andon_quotient(s.producing_ms,
            s.producing_ms + s.delayed_ms + s.faulted_ms, 10000) END,
        CASE WHEN covered THEN andon_of_rated(s.all_made, s.all_possible - s.all_uncounted,
            s.all_planned, s.all_unrated, min_coverage) END,
        CASE WHEN covered THEN andon_of_rated(s.good_made, s.good_possible - s.good_uncounted,
            s.good_planned, s.good_unrated, min_coverage) END,
        CASE WHEN covered THEN andon_of_rated(s.run_made, s.run_possible,
            s.run_ms, s.run_unrated, min_coverage) END,
        andon_quotient(s.judged_good, s.judged_total, 10000),
        CASE WHEN exposed THEN andon_quotient(s.failures * 3600000, p.load, 1000) END,
        CASE WHEN exposed THEN andon_quotient(p.load, s.failures * 1000, 1000) END,
        CASE WHEN exposed THEN andon_quotient(s.repair_ms, s.repairs * 1000, 1000) END,
        CASE WHEN exposed THEN andon_quotient(s.busy_made * 3600000, s.busy_ms, 1000) END
    FROM (SELECT s.window_ms - s.planned_stop_ms AS planned,
                 s.window_ms - s.planned_stop_ms - s.unknown_ms AS known,
                 s.producing_ms + s.setup_ms + s.delayed_ms + s.faulted_ms AS busy,
                 s.producing_ms + s.setup_ms AS load) AS p,
         LATERAL (SELECT p.known > 0 AND p.known >= p.planned * min_coverage AS covered) AS c,
         LATERAL (SELECT covered AND p.load >= greatest(min_exposure_ms, 1) AS exposed) AS e
$$;

-- Sums of machines become one.
CREATE FUNCTION andon_add(state andon_sums, more andon_sums) RETURNS andon_sums
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    -- Every member is a number, and what is null in one is no part of the sum.
    RETURN jsonb_populate_record(state, (
        SELECT jsonb_object_agg(key, coalesce(a::numeric + b::numeric, a::numeric, b::numeric))
        FROM jsonb_each_text(to_jsonb(state)) AS one(key, a)
        JOIN jsonb_each_text(to_jsonb(more)) AS other(key, b) USING (key)));
END $$;
CREATE AGGREGATE andon_sum(andon_sums) (SFUNC = andon_add, STYPE = andon_sums);

-- Machines with their parts and figures over a time.
CREATE FUNCTION andon_by_device(
    tier text, from_ms bigint, to_ms bigint, grain text DEFAULT 'total', zone text DEFAULT 'UTC'
) RETURNS TABLE (
    head text, device text, line text, period text, parts andon_sums, coverage numeric,
    availability numeric, fault_time_ratio numeric, capacity_utilisation numeric, oee numeric,
    effectiveness numeric, quality_ratio numeric, fault_rate_per_h numeric, mtbf_s numeric,
    mttr_s numeric, throughput_per_h numeric
) LANGUAGE sql STABLE AS $$
    SELECT d.head, d.device, d.line, d.period, d.sums, f.coverage, f.availability,
           f.fault_time_ratio, f.capacity_utilisation, f.oee, f.effectiveness, f.quality_ratio,
           f.fault_rate_per_h, f.mtbf_s, f.mttr_s, f.throughput_per_h
    FROM andon_sums_by_device(tier, from_ms, to_ms, grain, zone) AS d,
         LATERAL andon_figures(d.sums) AS f
$$;

-- All machines as one.
CREATE FUNCTION andon_total(tier text, from_ms bigint, to_ms bigint)
RETURNS TABLE (
    devices numeric, good numeric, scrap numeric, total numeric, failures numeric, coverage numeric,
    availability numeric, fault_time_ratio numeric, capacity_utilisation numeric, oee numeric,
    effectiveness numeric, quality_ratio numeric, fault_rate_per_h numeric
) LANGUAGE sql STABLE AS $$
    SELECT (t.s).devices, (t.s).good, (t.s).scrap, (t.s).total, (t.s).failures, f.coverage,
           f.availability, f.fault_time_ratio, f.capacity_utilisation, f.oee, f.effectiveness,
           f.quality_ratio, f.fault_rate_per_h
    FROM (SELECT andon_sum(d.sums) AS s FROM andon_sums_by_device(tier, from_ms, to_ms) AS d) AS t,
         LATERAL andon_figures(t.s) AS f
$$;

-- Each shift of each line, whichever gateways its machines are behind: for a BI tool, which asks for
-- rows of a table. `area` is the topic up to the area.
CREATE VIEW andon_line_shift AS
SELECT area, coalesce(line, '-') AS line, shift_date, shift,
       (s).devices, (s).good, (s).scrap, (s).total, (s).failures,
       f.planned_ms, f.coverage, f.availability, f.fault_time_ratio, f.capacity_utilisation, f.oee,
       f.effectiveness, f.quality_ratio, f.fault_rate_per_h, f.mtbf_s, f.mttr_s, f.throughput_per_h
FROM (
    SELECT regexp_replace(head, '/[^/]+$', '') AS area, line, left(period, 10)::date AS shift_date, substr(period, 12) AS shift,
           andon_sum(sums) AS s
    FROM andon_sums_by_device('shift', 0, 9223372036854775807, 'shift')
    WHERE period <> ''
    GROUP BY 1, line, period
) AS shifts, LATERAL andon_figures(s) AS f;

-- Each machine on each production day, as its gateway computed it.
CREATE VIEW andon_device_day AS
SELECT head, device, line, to_timestamp(start_ms / 1000.0) AS starts, good, scrap, total, failures,
       coverage, availability, fault_time_ratio, capacity_utilisation, oee, effectiveness,
       quality_ratio, fault_rate_per_h, mtbf_s, mttr_s, throughput_per_h, reason
FROM andon_kpi WHERE "window" = '1d';

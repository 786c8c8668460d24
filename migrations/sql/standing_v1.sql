-- How far consumers are behind the logs: a row without a tenant for each that is behind
-- somewhere, and then as many places as asked for: those that stand still, then those that are
-- behind the longest.
--
-- The time is the age of the first event that was not taken. It is looked up where the cursor
-- has not moved for the longest, at no more than 1000 places. A consumer has failed, or waits for
-- a version of the code that knows an event, or goes on.
-- The body is text, as the table of events gives its place to another when a log is partitioned.
CREATE FUNCTION standing_v1(consumers text[], system_consumers text[], most integer)
RETURNS TABLE (
    consumer text, tenant_id uuid, logs bigint, events bigint, events_max bigint,
    seconds double precision, failed bigint, waiting bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH behind AS MATERIALIZED (
        SELECT name AS consumer, h.tenant_id, coalesce(c.position, 0) AS position,
               h.position - coalesce(c.position, 0) AS events, c.updated_at,
               (c.failed_position IS NOT NULL)::integer AS stopped,
               coalesce(starts_with(c.error, 'projection.unknown_event'), false)::integer AS waits
        FROM log_head AS h
        CROSS JOIN LATERAL unnest(
            CASE WHEN h.tenant_id = '00000000-0000-0000-0000-000000000000'::uuid
            THEN system_consumers ELSE consumers END
        ) AS name
        LEFT JOIN projection_cursor AS c ON c.tenant_id = h.tenant_id AND c.projection = name
        WHERE coalesce(c.position, 0) < h.position
    ), longest AS MATERIALIZED (
        SELECT b.*, extract(epoch FROM clock_timestamp() - e.recorded_at)::double precision AS age
        FROM (SELECT * FROM behind ORDER BY updated_at NULLS FIRST LIMIT 1000) AS b
        JOIN event AS e ON e.tenant_id = b.tenant_id AND e.position = b.position + 1
    ), oldest AS (
        SELECT * FROM longest ORDER BY stopped DESC, age DESC LIMIT most
    )
    SELECT b.consumer, NULL::uuid, count(*), sum(b.events)::bigint, max(b.events),
           coalesce((SELECT max(l.age) FROM longest AS l WHERE l.consumer = b.consumer), 0),
           sum(b.stopped * (1 - b.waits)), sum(b.waits)
    FROM behind AS b GROUP BY b.consumer
    UNION ALL
    SELECT o.consumer, o.tenant_id, 1, o.events, o.events, o.age,
           (o.stopped * (1 - o.waits))::bigint, o.waits::bigint
    FROM oldest AS o;
$$;

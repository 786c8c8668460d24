-- What a projector begins a batch with, in one statement and not in six: whose rows it sees, the
-- fence that a rebuild closes, the cursors that are free and may go on, locked; the head; and the
-- first events behind where the cursors were when it last looked, if it says where that was.
-- The body is text, as the table of events gives its place to another when a log is partitioned.
CREATE FUNCTION take_news_v1(
    tenant uuid, names text[], seen bigint, types text[], known text[], most integer
) RETURNS TABLE (kind text, name text, at bigint, told text, skipped bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true),
            set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('projecting:' || each, 0))
    FROM unnest(names) AS each;
    RETURN QUERY
        SELECT 'cursor', c.projection, c.position, c.error, ARRAY(
            SELECT s.position FROM skipped_event AS s
            WHERE s.tenant_id = c.tenant_id AND s.projection = split_part(c.projection, '@', 1)
              AND s.position > c.position
        )
        FROM projection_cursor AS c
        WHERE c.tenant_id = tenant AND c.projection = ANY (names)
          AND (c.failed_position IS NULL OR starts_with(c.error, 'privacy.')
               OR starts_with(c.error, 'projection.unknown_event'))
        FOR UPDATE SKIP LOCKED;
    RETURN QUERY
        SELECT 'head', NULL::text, h.position, NULL::text, NULL::bigint[]
        FROM log_head AS h WHERE h.tenant_id = tenant;
    IF seen IS NOT NULL THEN
        RETURN QUERY
            SELECT 'event', e.type, e.position, e.data, NULL::bigint[]
            FROM event AS e
            WHERE e.tenant_id = tenant AND e.position > seen
              AND (e.type = ANY (types) OR e.type <> ALL (known))
            ORDER BY e.position LIMIT most;
    END IF;
END
$$;

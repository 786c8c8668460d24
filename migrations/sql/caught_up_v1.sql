-- Whether a version of a read model can take over from a former one: in every log it has read what
-- stood there when its table was made, and whatever is older than some seconds. A reader that
-- stopped holds that up where another version came further, so that no deploy makes things worse;
-- elsewhere it is an operator's business, and holds nothing up.
-- The body is text, as the table of events gives its place to another when a log is partitioned.
CREATE FUNCTION caught_up_v1(model text, number integer, system boolean) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM log_head AS h
        JOIN read_model AS r ON r.name = model AND r.version = number
        LEFT JOIN projection_cursor AS c
          ON c.tenant_id = h.tenant_id AND c.projection = r.name || '@' || r.version
        WHERE (h.tenant_id = '00000000-0000-0000-0000-000000000000'::uuid) = system
          AND h.position > coalesce(c.position, 0)
          AND CASE WHEN c.failed_position IS NULL THEN EXISTS (
              SELECT FROM event AS e
              WHERE e.tenant_id = h.tenant_id AND e.position = coalesce(c.position, 0) + 1
                AND e.recorded_at < greatest(r.made_at, now() - interval '10 seconds')
          ) ELSE EXISTS (
              SELECT FROM projection_cursor AS o
              WHERE o.tenant_id = h.tenant_id AND split_part(o.projection, '@', 1) = model
                AND o.position >= c.failed_position
          ) END
    );
$$;

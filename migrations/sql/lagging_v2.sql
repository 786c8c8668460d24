-- The logs that are ahead of a reader of theirs, the least behind first. The reserved tenant's log
-- has readers of its own. A reader that stopped waits and is left out.
CREATE FUNCTION lagging_v2(consumers text[], system_consumers text[], most integer)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id
    FROM log_head AS h
    LEFT JOIN (
        SELECT c.tenant_id, count(*) AS many, min(c.position)
            FILTER (WHERE c.failed_position IS NULL) AS least
        FROM projection_cursor AS c
        WHERE c.projection = ANY (
            CASE WHEN c.tenant_id = '00000000-0000-0000-0000-000000000000'::uuid
            THEN system_consumers ELSE consumers END
        )
        GROUP BY c.tenant_id
    ) AS r ON r.tenant_id = h.tenant_id
    WHERE h.position > 0 AND (r.least < h.position OR coalesce(r.many, 0) < cardinality(
        CASE WHEN h.tenant_id = '00000000-0000-0000-0000-000000000000'::uuid
        THEN system_consumers ELSE consumers END
    ))
    ORDER BY h.position - coalesce(r.least, 0)
    LIMIT most;
END;

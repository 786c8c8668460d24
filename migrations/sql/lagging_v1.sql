-- The logs that are ahead of a consumer, the furthest behind last. The reserved tenant's log
-- has consumers of its own. One that failed waits for an operator and is left out.
CREATE FUNCTION lagging_v1(consumers text[], system_consumers text[], most integer)
RETURNS TABLE (tenant_id uuid, consumer text, "position" bigint, head bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, name, coalesce(c.position, 0), h.position
    FROM log_head AS h
    CROSS JOIN LATERAL unnest(
        CASE WHEN h.tenant_id = '00000000-0000-0000-0000-000000000000'::uuid
        THEN system_consumers ELSE consumers END
    ) AS name
    LEFT JOIN projection_cursor AS c ON c.tenant_id = h.tenant_id AND c.projection = name
    WHERE coalesce(c.position, 0) < h.position AND c.failed_position IS NULL
    ORDER BY h.position - coalesce(c.position, 0)
    LIMIT most;
END;

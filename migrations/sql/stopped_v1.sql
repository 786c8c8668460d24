-- The logs with readers that wait for a key or for a newer version, some of them, in no order, so
-- that none has to wait for another. Those go on as soon as what they wait for is there.
CREATE FUNCTION stopped_v1(consumers text[], most integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id FROM (
        SELECT DISTINCT c.tenant_id
        FROM projection_cursor AS c
        WHERE c.failed_position IS NOT NULL AND c.projection = ANY (consumers)
          AND (starts_with(c.error, 'privacy.') OR starts_with(c.error, 'projection.unknown_event'))
    ) AS s
    ORDER BY random()
    LIMIT most;
END;

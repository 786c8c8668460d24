-- Consumers that stopped at personal data which could not be opened, some of them, in no order,
-- so that none has to wait for another. They go on as soon as the keys are right again.
CREATE FUNCTION stopped_for_keys_v1(most integer) RETURNS TABLE (tenant_id uuid, consumer text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT c.tenant_id, c.projection
    FROM projection_cursor AS c
    WHERE c.failed_position IS NOT NULL AND starts_with(c.error, 'privacy.')
    ORDER BY random()
    LIMIT most;
END;

-- How far every consumer is in every log, for operators.
CREATE FUNCTION cursors_v1()
RETURNS TABLE (tenant_id uuid, consumer text, "position" bigint, failed bigint, error text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT c.tenant_id, c.projection, c.position, c.failed_position, c.error
    FROM projection_cursor AS c;
END;

-- Every head: the position of each log. Positions only; no row can be read through it.
CREATE FUNCTION heads_v1()
RETURNS TABLE (tenant_id uuid, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, h.position FROM log_head AS h;
END;

-- Every head with its hash, all as they were at one moment: what an anchor signs.
CREATE FUNCTION anchor_heads_v1()
RETURNS TABLE (tenant_id uuid, "position" bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, h.position, h.hash FROM log_head AS h WHERE h.position > 0;
END;

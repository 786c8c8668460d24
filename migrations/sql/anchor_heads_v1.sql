-- Every head with its hash, all as they were at one moment: what an anchor signs.
CREATE FUNCTION anchor_heads_v1()
RETURNS TABLE (tenant_id uuid, "position" bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, h.position, h.hash FROM log_head AS h WHERE h.position > 0;
END;

GRANT CREATE ON SCHEMA public TO asiento_appender;
ALTER FUNCTION anchor_heads_v1() OWNER TO asiento_appender;
REVOKE CREATE ON SCHEMA public FROM asiento_appender;
REVOKE ALL ON FUNCTION anchor_heads_v1() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION anchor_heads_v1() TO asiento_app;

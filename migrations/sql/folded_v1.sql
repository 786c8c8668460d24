-- How many events a consumer has taken of all logs, and how many there are: how far it is
-- where it is built for the first time. One of the system reads the reserved tenant's log alone.
CREATE FUNCTION folded_v1(consumer text, of_system boolean)
RETURNS TABLE (events bigint, of_events bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT coalesce(sum(least(c.position, h.position)), 0)::bigint,
           coalesce(sum(h.position), 0)::bigint
    FROM log_head AS h
    LEFT JOIN projection_cursor AS c
      ON c.tenant_id = h.tenant_id AND c.projection = folded_v1.consumer
    WHERE (h.tenant_id = '00000000-0000-0000-0000-000000000000') = of_system;
END;

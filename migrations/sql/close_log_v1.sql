-- Closes a log, also one without an event, and returns its last position.
--
-- Promises: no event is appended after the return. The head is locked, as it is by each append,
-- so that an append that is under way is waited for, and a later one finds the log closed.
CREATE FUNCTION close_log_v1(tenant uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    INSERT INTO log_head AS h (tenant_id, position, hash, closed_at)
    VALUES (tenant, 0, decode(repeat('00', 32), 'hex'), clock_timestamp())
    ON CONFLICT (tenant_id) DO UPDATE SET closed_at = coalesce(h.closed_at, clock_timestamp())
    RETURNING position;
END;

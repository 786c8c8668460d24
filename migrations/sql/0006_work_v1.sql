-- Positions only, of all tenants: what a projector needs to know where there is work.
-- No row of a tenant can be read through these.

-- The logs that are ahead of a consumer, the furthest behind last.
CREATE FUNCTION lagging_v1(consumers text[], most integer)
RETURNS TABLE (tenant_id uuid, consumer text, "position" bigint, head bigint, failed bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, name, coalesce(c.position, 0), h.position, c.failed_position
    FROM log_head AS h
    CROSS JOIN unnest(consumers) AS name
    LEFT JOIN projection_cursor AS c ON c.tenant_id = h.tenant_id AND c.projection = name
    WHERE coalesce(c.position, 0) < h.position
    ORDER BY h.position - coalesce(c.position, 0)
    LIMIT most;
END;

CREATE FUNCTION heads_v1()
RETURNS TABLE (tenant_id uuid, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.tenant_id, h.position FROM log_head AS h;
END;

-- How far every consumer is in every log, for operators.
CREATE FUNCTION cursors_v1()
RETURNS TABLE (tenant_id uuid, consumer text, "position" bigint, failed bigint, error text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT c.tenant_id, c.projection, c.position, c.failed_position, c.error
    FROM projection_cursor AS c;
END;

-- Forgets idempotency keys older than keep; returns how many.
CREATE FUNCTION expire_keys_v1(keep interval) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM idempotency WHERE recorded_at < clock_timestamp() - keep RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

-- Lets a consumer start again from the first event, in every log. For migrations and rebuilds.
CREATE FUNCTION forget_cursors_v1(consumer text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM projection_cursor WHERE projection = consumer RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

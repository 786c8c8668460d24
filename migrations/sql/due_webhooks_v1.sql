-- The webhooks of these tenants (NULL: of all) that have something to send now and that nobody
-- holds, those that were served longest ago first. Names only; no row can be read through it.
-- Two halves, of which one is empty at once: asked for some, it looks at no others.
CREATE FUNCTION due_webhooks_v1(tenants uuid[], most integer)
RETURNS TABLE (tenant_id uuid, endpoint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT d.tenant_id, d.endpoint
    FROM (
        SELECT w.*, h.position AS head
        FROM webhook_delivery AS w JOIN log_head AS h ON h.tenant_id = w.tenant_id
        WHERE tenants IS NULL
        UNION ALL
        SELECT w.*, (SELECT h.position FROM log_head AS h WHERE h.tenant_id = w.tenant_id)
        FROM webhook_delivery AS w WHERE w.tenant_id = ANY (tenants)
    ) AS d
    WHERE d.active AND (d.position < d.head OR d.retrying)
      AND d.next_attempt_at <= clock_timestamp() AND d.leased_until <= clock_timestamp()
    ORDER BY d.leased_until
    LIMIT most;
END;

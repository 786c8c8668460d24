-- How the webhooks of all tenants are: how many are sent to, how many of those did not take what
-- was sent last, and how many events none took. Numbers only; the function belongs to the role
-- that may count them.
CREATE POLICY all_tenants ON webhook_dead_letter FOR SELECT TO asiento_appender USING (true);
GRANT SELECT ON webhook_dead_letter TO asiento_appender;
CREATE FUNCTION webhook_figures_v1()
RETURNS TABLE (active bigint, failing bigint, dead_letters bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE w.active),
           count(*) FILTER (WHERE w.active AND w.failed_attempts > 0),
           (SELECT count(*) FROM webhook_dead_letter)
    FROM webhook_delivery AS w;
END;

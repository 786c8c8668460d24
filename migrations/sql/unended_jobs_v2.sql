-- The jobs of all tenants that are not over: what they are, and nothing of what they hold. Of the
-- tables there are for jobs, the youngest that is built.
CREATE FUNCTION unended_jobs_v2()
RETURNS TABLE (tenant_id uuid, job text, kind text, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    newest integer := (
        SELECT max(version) FROM read_model WHERE name = 'jobs' AND built_at IS NOT NULL
    );
BEGIN
    IF newest IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT tenant_id, job, kind, subject FROM %I'
            ' WHERE status IN (''queued'', ''running'', ''cancelling'')', 'jobs_v' || newest
        );
    END IF;
END
$$;

-- The jobs of all tenants that are not over: what they are, and nothing of what they hold.
-- The table is declared by the read model, later than this; hence the dynamic statement.
CREATE FUNCTION unended_jobs_v1()
RETURNS TABLE (tenant_id uuid, job text, kind text, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE
        'SELECT tenant_id, job, kind, subject FROM jobs'
        ' WHERE status IN (''queued'', ''running'', ''cancelling'')';
END
$$;

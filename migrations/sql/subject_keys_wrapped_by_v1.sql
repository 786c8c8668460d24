-- Some keys of any tenants that this master key wraps, to see by them that it is still the same.
-- What it returns opens nothing without that master key.
CREATE FUNCTION subject_keys_wrapped_by_v1(master_id text, most integer) RETURNS TABLE (
    tenant_id uuid, subject text, generation integer, wrapped bytea
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT k.tenant_id, k.subject, k.generation, k.wrapped
    FROM subject_key AS k
    WHERE k.master = master_id AND k.wrapped IS NOT NULL
    LIMIT most;
END;

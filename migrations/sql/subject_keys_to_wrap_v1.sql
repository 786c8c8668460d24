-- The next keys of any tenant, after one of them, that another master key than *current* wraps.
-- What it returns opens nothing without that master key.
CREATE FUNCTION subject_keys_to_wrap_v1(
    current text, after_tenant uuid, after_subject text, after_generation integer, most integer
) RETURNS TABLE (
    tenant_id uuid, subject text, generation integer, wrapped bytea, master text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT k.tenant_id, k.subject, k.generation, k.wrapped, k.master
    FROM subject_key AS k
    WHERE (k.tenant_id, k.subject, k.generation) > (after_tenant, after_subject, after_generation)
      AND k.wrapped IS NOT NULL AND k.master <> current
    ORDER BY k.tenant_id, k.subject, k.generation
    LIMIT most;
END;

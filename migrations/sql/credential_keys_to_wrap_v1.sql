-- The next keys of any tenant, after one of them, that another than *current* wraps. What it
-- returns opens nothing without what wrapped it.
CREATE FUNCTION credential_keys_to_wrap_v1(current text, after_tenant uuid, most integer)
RETURNS TABLE (tenant_id uuid, key_id uuid, wrapped bytea, master text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT k.tenant_id, k.key_id, k.wrapped, k.master
    FROM credential_key AS k
    WHERE k.tenant_id > after_tenant AND k.master <> current
    ORDER BY k.tenant_id
    LIMIT most;
END;

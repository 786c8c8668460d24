-- The keys of rows of a read model that have every pattern in their search text, so many at most:
-- those of the tenant of the transaction, and of no other. LIKE is not leakproof, so that no index
-- is asked for it before a policy was; the owner of this function has none that filters.
CREATE FUNCTION search_keys_v1(in_table text, in_key text, in_patterns text[], most integer)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT %I FROM %I WHERE tenant_id = current_tenant() AND %s LIMIT %s',
        in_key, in_table,
        (SELECT string_agg(format('search_text LIKE %L', p), ' AND ')
         FROM unnest(in_patterns) AS p),
        most
    );
END
$$;

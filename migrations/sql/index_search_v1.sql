-- Gives the table of a read model its index of search texts, by tenant and by three letters each.
-- Where the extensions for it are missing it does nothing: all is found without it, later.
CREATE FUNCTION index_search_v1(in_table text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    of_letters regnamespace;
BEGIN
    SELECT e.extnamespace INTO of_letters FROM pg_extension AS e WHERE e.extname = 'pg_trgm';
    IF FOUND AND EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gin') THEN
        EXECUTE format(
            'CREATE INDEX ON %I USING gin (tenant_id, search_text %s.gin_trgm_ops)',
            in_table, of_letters
        );
    END IF;
END
$$;

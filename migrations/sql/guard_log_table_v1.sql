-- Gives a table of the log its policies and rights: a tenant sees its own rows and nothing
-- else, and only the appending function writes.
CREATE FUNCTION guard_log_table_v1(name text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_tenant ON %I USING (tenant_id = current_tenant())', name);
    EXECUTE format(
        'CREATE POLICY all_tenants ON %I TO asiento_appender USING (true) WITH CHECK (true)', name
    );
    EXECUTE format('GRANT SELECT ON %I TO asiento_app', name);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO asiento_appender', name);
END
$$;
REVOKE ALL ON FUNCTION guard_log_table_v1(text) FROM PUBLIC;

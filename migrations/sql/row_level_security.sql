-- A tenant sees its own rows and nothing else, its owner included; with no tenant set, nothing.
-- The setting is made by SET LOCAL in each transaction.

CREATE FUNCTION current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'log_head', 'event', 'event_tag', 'idempotency', 'projection_cursor',
        'import_row', 'import_error'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING (tenant_id = current_tenant())', name
        );
    END LOOP;
    -- A batch of appends spans tenants, and so does the question which of them have news.
    FOREACH name IN ARRAY ARRAY[
        'log_head', 'event', 'event_tag', 'idempotency', 'projection_cursor'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY all_tenants ON %I TO asiento_appender USING (true) WITH CHECK (true)',
            name
        );
    END LOOP;
END
$$;

-- Append-only by privilege: nobody at run time may write an event but through the function.
GRANT SELECT ON log_head, event, event_tag, idempotency, projection TO asiento_app;
GRANT SELECT, INSERT, UPDATE ON projection_cursor TO asiento_app;
GRANT SELECT, INSERT, DELETE ON import_row TO asiento_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON import_error TO asiento_app;
GRANT SELECT, INSERT ON event, event_tag TO asiento_appender;
GRANT SELECT, INSERT, UPDATE ON log_head TO asiento_appender;
GRANT SELECT, INSERT, DELETE ON idempotency TO asiento_appender;
GRANT SELECT, DELETE ON projection_cursor TO asiento_appender;

-- The functions that see all tenants belong to the role that has the policies for it, and
-- only the application may call them. A role must be allowed to create in the schema at
-- the moment it is given a function there.
GRANT CREATE ON SCHEMA public TO asiento_appender;
DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND proname IN (
            'append_events_v1', 'lagging_v1', 'heads_v1', 'cursors_v1', 'expire_keys_v1',
            'forget_cursors_v1', 'unended_jobs_v1'
          )
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO asiento_appender', signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO asiento_app', signature);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA public FROM asiento_appender;

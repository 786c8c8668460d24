-- Two roles that nobody logs in as. Roles belong to the whole server, so another database
-- of ours may have made them already, or may be making them at this moment.
--   asiento_app       what run-time processes act as: owns nothing, bypasses nothing.
--   asiento_appender  owns the append function and the few others that see all tenants.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['asiento_app', 'asiento_appender'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        IF NOT pg_has_role(current_user, name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', name);
        END IF;
    END LOOP;
END
$$;
GRANT USAGE ON SCHEMA public TO asiento_app, asiento_appender;

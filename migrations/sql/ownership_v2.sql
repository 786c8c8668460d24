-- As `ownership`, for every function that runs as its owner and is not given away yet.
GRANT CREATE ON SCHEMA public TO asiento_appender;
DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND proowner <> 'asiento_appender'::regrole
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO asiento_appender', signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO asiento_app', signature);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA public FROM asiento_appender;

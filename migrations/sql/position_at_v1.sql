-- Where a log was at a moment: the position of its last event that was recorded by then, 0 where
-- there was none. Events are recorded in the order of their positions, so it halves its way there.
CREATE FUNCTION position_at_v1(tenant uuid, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint := coalesce((SELECT position FROM log_head WHERE tenant_id = tenant), 0);
    middle bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT recorded_at <= moment FROM event WHERE tenant_id = tenant AND position = middle)
        THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
REVOKE ALL ON FUNCTION position_at_v1(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION position_at_v1(uuid, timestamptz) TO asiento_app, asiento_appender;

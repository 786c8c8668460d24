-- Lets a consumer start again from the first event, in every log. For migrations and rebuilds.
CREATE FUNCTION forget_cursors_v1(consumer text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM projection_cursor WHERE projection = consumer RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

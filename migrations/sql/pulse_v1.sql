-- A sum that changes whenever a log grows, and how many readers of logs are stopped.
CREATE FUNCTION pulse_v1() RETURNS TABLE (events numeric, stopped bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT h.events, s.stopped
    FROM (SELECT coalesce(sum(position), 0) AS events FROM log_head) AS h,
         (SELECT count(*) AS stopped FROM projection_cursor WHERE failed_position IS NOT NULL) AS s;
END;

-- How many events of all tenants wait for their reaction to be replayed, by reaction.
CREATE FUNCTION dead_letters_v1() RETURNS TABLE (reaction text, letters bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT d.reaction, count(*) FROM dead_letter AS d GROUP BY 1;
END;

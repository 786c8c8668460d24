-- Names the cursors of read models by name and version. Called once, by the migration.
CREATE FUNCTION version_cursors_v1() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH moved AS (
        UPDATE projection_cursor AS c SET projection = r.name || '@' || r.version
        FROM read_model AS r WHERE c.projection = r.name
        RETURNING 1
    )
    SELECT count(*) FROM moved;
END;

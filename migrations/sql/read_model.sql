-- Each version of a read model has a table of its own, so that the code of yesterday and of today
-- can run side by side. The tables there are get the number of their version behind their name.
CREATE TABLE read_model (
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    shape text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    built_at timestamptz,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE read_model IS
    'The versions of read models: when each was made, first built, and last kept up to date.';
INSERT INTO read_model (name, version, shape, built_at)
SELECT name, version, shape, now() FROM projection;
DO $$
DECLARE
    known record;
BEGIN
    FOR known IN SELECT name, version FROM projection LOOP
        EXECUTE format(
            'ALTER TABLE IF EXISTS %I RENAME TO %I', known.name, known.name || '_v' || known.version
        );
    END LOOP;
END
$$;
GRANT SELECT, UPDATE (built_at, seen_at) ON read_model TO asiento_app;
GRANT SELECT ON read_model TO asiento_appender;
GRANT UPDATE ON projection_cursor TO asiento_appender;
DROP TABLE projection;
CREATE INDEX projection_cursor_stopped ON projection_cursor (tenant_id, projection)
    WHERE failed_position IS NOT NULL;

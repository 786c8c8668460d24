-- The reactions that there ever were, by name. A reaction begins where each log stood on the day
-- that it was written down here; a log that is younger than that, it reads from its first event.
CREATE TABLE reaction (
    name text COLLATE "C" PRIMARY KEY,
    of_system boolean NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE reaction IS 'The reactions that were begun, and when.';
GRANT SELECT ON reaction TO asiento_app;
GRANT SELECT, INSERT ON reaction TO asiento_appender;
GRANT INSERT ON projection_cursor TO asiento_appender;

-- What a reaction wanted done and a rule refused. The event stands at that position of the log.
CREATE TABLE dead_letter (
    tenant_id uuid NOT NULL,
    reaction text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, reaction, position)
);
COMMENT ON TABLE dead_letter IS 'Events whose reaction was refused, until they are replayed.';

ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON dead_letter USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON dead_letter FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letter TO asiento_app;
GRANT SELECT ON dead_letter TO asiento_appender;

-- States folded up to a position, so that a process that starts cold need not read all of a
-- long tag. Derived: deleting rows costs time and nothing else. log_hash is the hash of the
-- event at the position: a snapshot of another history (a restored database, a log that was
-- brought back) fits no event and is not used.
CREATE TABLE snapshot (
    tenant_id uuid NOT NULL,
    state text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    version text NOT NULL,
    position bigint NOT NULL,
    log_hash bytea NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (tenant_id, state, tag)
) WITH (fillfactor = 50);
COMMENT ON TABLE snapshot IS 'Folded states of long tags, by the code that folded them. Derived.';

ALTER TABLE snapshot ENABLE ROW LEVEL SECURITY;
ALTER TABLE snapshot FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON snapshot USING (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE ON snapshot TO asiento_app;

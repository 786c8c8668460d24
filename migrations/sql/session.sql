-- Who is logged in, and by what. A row goes when its session ends, so that whoever finds none is
-- shown out; what stays is the event. All rows are of the system's own tenant, as people are.
-- A browser shows a secret, of which the hash is here; a program shows refresh tokens, which are
-- made of the seed and the count of refreshes, and are kept nowhere.
CREATE TABLE session (
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    acts_for uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    secret_sha256 bytea,
    seed bytea NOT NULL,
    refreshes integer NOT NULL DEFAULT 0,
    refreshed_at timestamptz NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    began_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, session_id)
);
COMMENT ON TABLE session IS
    'Who is logged in, for which company, since when and from where. Ended: the row is gone.';
CREATE INDEX session_of_user ON session (tenant_id, user_id);
CREATE INDEX session_ended ON session (ends_at);

ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON session USING (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE (acts_for, refreshes, refreshed_at, seen_at), DELETE
    ON session TO asiento_app;

-- The secrets of outside systems, sealed. A row is written before the event that refers to it by
-- its secret_id; settled says that the event was seen. What is sealed is bound to its tenant, its
-- credential, its secret_id and the count of its renewals, so that it opens in no other row.
CREATE TABLE credential_secret (
    tenant_id uuid NOT NULL,
    secret_id text COLLATE "C" NOT NULL,
    credential text COLLATE "C" NOT NULL,
    key_id uuid NOT NULL,
    sealed bytea NOT NULL,
    renewal integer NOT NULL DEFAULT 0,
    expires_at timestamptz,
    settled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, secret_id)
);
COMMENT ON TABLE credential_secret IS
    'What opens the systems outside, sealed by the key of the tenant. Not settled: no event is'
    ' known yet that refers to it, and after an hour it goes.';
CREATE INDEX credential_secret_idle ON credential_secret (created_at) WHERE NOT settled;

-- One key a tenant, which seals its rows above. It goes with the tenant.
CREATE TABLE credential_key (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    wrapped bytea NOT NULL,
    master text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id)
);
COMMENT ON TABLE credential_key IS
    'The key of a tenant that seals its credentials, wrapped by the master key of that id, or by'
    ' a transit engine where the id begins with transit:.';

ALTER TABLE credential_secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential_secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON credential_secret USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON credential_secret TO asiento_appender USING (true);
GRANT SELECT, INSERT, UPDATE (sealed, key_id, renewal, settled), DELETE
    ON credential_secret TO asiento_app;
GRANT SELECT, DELETE ON credential_secret TO asiento_appender;

ALTER TABLE credential_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON credential_key USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON credential_key FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT, UPDATE (wrapped, master) ON credential_key TO asiento_app;
GRANT SELECT ON credential_key TO asiento_appender;

-- When and from where a key was used last: to the minute, and behind by some seconds. No event is
-- written for a use.
CREATE TABLE api_key_use (
    tenant_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL,
    address text NOT NULL,
    secret_id text COLLATE "C",
    PRIMARY KEY (tenant_id, key)
) WITH (fillfactor = 50);
COMMENT ON TABLE api_key_use IS
    'The last use of each API key, and by which of its secrets: whether the former one still is.';

ALTER TABLE api_key_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key_use FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON api_key_use USING (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE (used_at, address, secret_id), DELETE ON api_key_use TO asiento_app;

-- Who is a member of which company, so that a person finds their companies and not all of them are
-- looked through. It is kept by a reader of each company's log, and says nothing of roles: what
-- somebody may is read off the log itself.
CREATE TABLE membership (
    tenant_id uuid NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
COMMENT ON TABLE membership IS 'Who is a member of which company, by the log of the company.';
CREATE INDEX membership_user ON membership (user_id, tenant_id);

ALTER TABLE membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE membership FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON membership USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON membership FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT, DELETE ON membership TO asiento_app;
GRANT SELECT ON membership TO asiento_appender;

-- The keys of data subjects, one row a generation. The generation is how often the subject was
-- forgotten before the key was made, so that the log alone says which key is the current one.
-- Of a forgotten one the row stays and the key goes.
CREATE TABLE subject_key (
    tenant_id uuid NOT NULL,
    subject text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    wrapped bytea,
    master text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz,
    PRIMARY KEY (tenant_id, subject, generation),
    CHECK ((wrapped IS NULL) = (forgotten_at IS NOT NULL))
);
COMMENT ON TABLE subject_key IS
    'What personal data is sealed with, wrapped by the master key of that id.'
    ' No key: what it sealed is forgotten.';

ALTER TABLE subject_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE subject_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON subject_key USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON subject_key FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT, UPDATE (wrapped, master, forgotten_at) ON subject_key TO asiento_app;
GRANT SELECT ON subject_key TO asiento_appender;

-- What is sent to whom outside, and how far it came. A row is made and ended by events of the log;
-- between them whoever holds the lease moves it, and no connection is held while it waits.
CREATE TABLE webhook_delivery (
    tenant_id uuid NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    active boolean NOT NULL DEFAULT true,
    failed_attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    dead_in_a_row integer NOT NULL DEFAULT 0,
    retrying boolean NOT NULL DEFAULT false,
    lease uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    sent_at timestamptz,
    last_status integer,
    last_error text,
    PRIMARY KEY (tenant_id, endpoint)
) WITH (fillfactor = 50);
COMMENT ON TABLE webhook_delivery IS
    'How far each webhook has come: everything up to position is sent, or a dead letter.'
    ' failed_attempts count those at the next event; retrying: the dead letters are to be sent.';

CREATE TABLE webhook_dead_letter (
    tenant_id uuid NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    type text NOT NULL,
    attempts integer NOT NULL,
    status integer,
    error text NOT NULL,
    excerpt text NOT NULL,
    dead_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, endpoint, position)
);
COMMENT ON TABLE webhook_dead_letter IS
    'Events that an endpoint never took. What was to be sent is in the log, at the position;'
    ' excerpt is how its last answer began.';

ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON webhook_delivery USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON webhook_delivery FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_delivery TO asiento_app;
GRANT SELECT ON webhook_delivery TO asiento_appender;

ALTER TABLE webhook_dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_dead_letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON webhook_dead_letter USING (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_dead_letter TO asiento_app;

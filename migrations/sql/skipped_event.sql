-- Events that an operator let a projection go past. Whatever folds the projection's rows leaves
-- them out: the live fold, a rebuild, a row as of a moment. The log of the reserved tenant says
-- who skipped each, and why.
CREATE TABLE skipped_event (
    tenant_id uuid NOT NULL,
    projection text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, projection, position)
);
COMMENT ON TABLE skipped_event IS
    'Events that are left out of a projection, of whatever version, by an operator''s decision.';

ALTER TABLE skipped_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE skipped_event FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON skipped_event USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON skipped_event FOR SELECT TO asiento_appender USING (true);
GRANT SELECT, INSERT ON skipped_event TO asiento_app;
GRANT SELECT ON skipped_event TO asiento_appender;

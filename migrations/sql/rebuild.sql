-- Rebuilds of read models: what each is for, who runs it, how far it is. By these rows one that was
-- killed goes on, one that is not wanted is broken off, and two never work on the same model.
CREATE TABLE rebuild (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    shape text NOT NULL,
    tenant uuid,
    as_of text,
    into_schema text,
    step text NOT NULL,
    runner text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    outcome text,
    error text,
    kept_until timestamptz
);
COMMENT ON TABLE rebuild IS
    'Rebuilds of read models. kept_until: the former rows are kept till then, beside the new ones.';
CREATE UNIQUE INDEX rebuild_under_way ON rebuild (model) WHERE ended_at IS NULL;

-- Parts that are folded apart: a log, or the rows of one whose tags are between two. Each is done
-- in one transaction with the rows it makes. position: up to where its rows are folded by now.
-- former_position: how far the former rows of the log were when they were put aside.
CREATE TABLE rebuild_piece (
    tenant_id uuid NOT NULL,
    rebuild bigint NOT NULL REFERENCES rebuild ON DELETE CASCADE,
    piece integer NOT NULL,
    tag_from text COLLATE "C",
    tag_until text COLLATE "C",
    weight bigint NOT NULL,
    position bigint NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    done_at timestamptz,
    former_position bigint,
    PRIMARY KEY (tenant_id, rebuild, piece)
);
COMMENT ON TABLE rebuild_piece IS 'The parts of rebuilds, and which of them are done.';
CREATE INDEX rebuild_piece_open ON rebuild_piece (rebuild, weight) WHERE done_at IS NULL;
ALTER TABLE rebuild_piece ENABLE ROW LEVEL SECURITY;
ALTER TABLE rebuild_piece FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON rebuild_piece USING (tenant_id = current_tenant());
CREATE POLICY all_tenants ON rebuild_piece TO asiento_appender USING (true) WITH CHECK (true);

-- Who may rebuild acts as asiento_appender, which sees the logs of all tenants. The application
-- sees that there are rebuilds, and forgets the former rows where somebody has to be forgotten.
GRANT SELECT, INSERT, UPDATE, DELETE ON rebuild, rebuild_piece TO asiento_appender;
GRANT INSERT ON projection_cursor TO asiento_appender;
GRANT SELECT, UPDATE (kept_until) ON rebuild TO asiento_app;
GRANT SELECT ON rebuild_piece TO asiento_app;

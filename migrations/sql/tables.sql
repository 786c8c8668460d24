-- The log: one a tenant, positions 1, 2, 3 … without a gap, each hash over the one before.
-- tenant_id leads every key, so that a distributed PostgreSQL can shard by it.

CREATE TABLE log_head (
    tenant_id uuid PRIMARY KEY,
    position bigint NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE log_head IS 'The last position and hash of each log. Locked while appending.';

CREATE TABLE event (
    tenant_id uuid NOT NULL,
    position bigint NOT NULL,
    type text NOT NULL,
    tags text[] NOT NULL,
    data text NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    correlation_id text NOT NULL,
    causation_id text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, position)
) WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05);
COMMENT ON TABLE event IS 'What happened. Appended once, never changed. The hash recipe: docs/audit.md.';

-- The type is part of the key, so that a boundary (a tag and some types) is one index range,
-- however many other events carry the tag.
CREATE TABLE event_tag (
    tenant_id uuid NOT NULL,
    tag text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, tag, type, position)
) WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05);
COMMENT ON TABLE event_tag IS 'Which events are about what.';

CREATE TABLE idempotency (
    tenant_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    base bigint NOT NULL,
    result text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
COMMENT ON TABLE idempotency IS
    'The first result of each idempotency key; its positions count from base.';

CREATE TABLE projection_cursor (
    tenant_id uuid NOT NULL,
    projection text NOT NULL,
    position bigint NOT NULL,
    failed_position bigint,
    error text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, projection)
) WITH (fillfactor = 20);
COMMENT ON TABLE projection_cursor IS 'How far each consumer of a log has come.';

CREATE TABLE import_row (
    tenant_id uuid NOT NULL,
    batch text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    line integer NOT NULL,
    lines integer[] NOT NULL,
    cells text NOT NULL,
    PRIMARY KEY (tenant_id, batch, document, line)
);
COMMENT ON TABLE import_row IS
    'Rows of files on their way in, as they came: a record is a run of rows of one document,'
    ' line its first. Rows are joined by chr(30), the cells of a row by chr(31).';

CREATE TABLE import_error (
    tenant_id uuid NOT NULL,
    batch text COLLATE "C" NOT NULL,
    line integer NOT NULL,
    document text COLLATE "C" NOT NULL,
    code text NOT NULL,
    column_name text NOT NULL,
    value text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant_id, batch, line)
);
COMMENT ON TABLE import_error IS 'Why a row of a file was rejected or held back.';
CREATE INDEX import_error_document ON import_error (tenant_id, batch, document);

CREATE TABLE projection (
    name text PRIMARY KEY,
    version integer NOT NULL,
    shape text NOT NULL
);
COMMENT ON TABLE projection IS 'The read models there are, and the shape of their tables.';

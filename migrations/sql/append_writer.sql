-- The last batch of each writer's connection and where it went, written in the transaction of
-- the batch itself. A writer that lost its connection reads here what became of the batch,
-- instead of guessing; see settle_writer_v1. A row is in use while its writer lives.
CREATE TABLE append_writer (
    writer uuid PRIMARY KEY,
    batch bigint NOT NULL,
    bases bigint[],
    used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
COMMENT ON TABLE append_writer IS 'What became of the last batch of each connection that appends.';
GRANT SELECT, INSERT, UPDATE, DELETE ON append_writer TO asiento_appender;

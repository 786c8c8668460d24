-- Says what became of a writer's batch, and settles it: the heads it was appended after, in
-- the order of its tenants, or NULL where it was not appended.
--
-- Promises: after NULL the batch never appears any more. A call of it that is still under way
-- on a lost connection holds the writer's row, so that this waits for its end; one that has
-- not begun yet finds its number used up, and fails. The next batch is number in_batch + 1.
-- Number 0 makes the row of a new writer. Where the row of an older one is gone (nobody used
-- it for a week, or by a clock that jumped), it fails rather than guess.
CREATE FUNCTION settle_writer_v1(in_writer uuid, in_batch bigint) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    heads bigint[];
BEGIN
    IF in_batch = 0 THEN
        DELETE FROM append_writer WHERE used_at < now() - interval '7 days';
        INSERT INTO append_writer VALUES (in_writer, in_batch) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END IF;
    UPDATE append_writer AS w
    SET batch = greatest(w.batch, in_batch),
        bases = CASE WHEN w.batch < in_batch THEN NULL ELSE w.bases END,
        used_at = now()
    WHERE w.writer = in_writer
    RETURNING w.bases INTO heads;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Nothing is known of writer % any more.', in_writer
            USING ERRCODE = 'AS002', HINT = 'Begin as a new writer.';
    END IF;
    RETURN heads;
END
$$;

-- Forgets idempotency keys older than keep; returns how many.
CREATE FUNCTION expire_keys_v1(keep interval) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM idempotency WHERE recorded_at < clock_timestamp() - keep RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

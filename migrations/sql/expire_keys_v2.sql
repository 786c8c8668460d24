-- Forgets idempotency keys older than keep; returns how many. The key of a reaction's command is
-- kept for as long as the reaction's cursor stands before its event, however old it is: after a
-- crash it alone says that the command was run.
CREATE FUNCTION expire_keys_v2(keep interval) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM idempotency AS i
        WHERE i.recorded_at < clock_timestamp() - keep
          AND NOT EXISTS (
            SELECT FROM projection_cursor AS c
            WHERE c.tenant_id = i.tenant_id
              AND c.projection = substring(i.key FROM '^(reaction:.*):[0-9]{1,18}$')
              AND c.position < substring(i.key FROM ':([0-9]{1,18})$')::bigint
          )
        RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

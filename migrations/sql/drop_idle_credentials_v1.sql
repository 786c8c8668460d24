-- Drops the secrets of all tenants that are older than grace and that no event refers to: whoever
-- wrote them died before the event, or was refused. Returns how many. A secret whose event is
-- there stays, however far behind the reader is that settles it.
-- The body is text, as the table of tags gives its place to another when a log is partitioned.
CREATE FUNCTION drop_idle_credentials_v1(grace interval) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM credential_secret AS s
        WHERE NOT s.settled AND s.created_at < clock_timestamp() - grace
          AND NOT EXISTS (
            SELECT FROM event_tag AS t
            WHERE t.tenant_id = s.tenant_id AND t.tag = 'secret_id:' || s.secret_id
          )
        RETURNING 1
    )
    SELECT count(*) FROM gone;
$$;

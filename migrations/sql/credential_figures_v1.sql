-- How many secrets of all tenants are kept, how many of them end within *soon*, and how many have
-- ended. Numbers only; the function belongs to the role that may count them.
CREATE FUNCTION credential_figures_v1(soon interval)
RETURNS TABLE (kept bigint, ending bigint, ended bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT count(*),
           count(*) FILTER (WHERE s.expires_at > now() AND s.expires_at <= now() + soon),
           count(*) FILTER (WHERE s.expires_at <= now())
    FROM credential_secret AS s
    WHERE s.settled;
END;

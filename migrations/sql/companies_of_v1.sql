-- The companies of which a person is a member, up to *most*. Ids only, and of this person alone;
-- no row can be read through it.
CREATE FUNCTION companies_of_v1(person text, most integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT m.tenant_id FROM membership AS m
    WHERE m.user_id = person
    ORDER BY m.tenant_id
    LIMIT most;
END;

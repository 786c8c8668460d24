-- What an index of search texts is made of. Both come with PostgreSQL, and the owner of a database
-- may add them; where they can't be added, searches read all rows of the tenant instead.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['pg_trgm', 'btree_gin'] LOOP
        BEGIN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA public', name);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'Searches will be slower without %: %', name, SQLERRM;
        END;
    END LOOP;
END
$$;

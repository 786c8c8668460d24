SELECT version_cursors_v1();
DROP FUNCTION version_cursors_v1();
DROP FUNCTION stopped_for_keys_v1(integer);
DROP FUNCTION unended_jobs_v1();

-- What a purge finds in the database, whether or not it was ever migrated.

-- name: purge_schema
-- Whether there is a schema of ours.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'petstream');

-- name: purge_relations
-- Every table and view of the schema; how to count the rows of a table (null for a view).
SELECT kind.relname AS name, CASE WHEN kind.relkind IN ('r', 'p')
    THEN format('SELECT count(*) FROM petstream.%I', kind.relname) END AS counting
FROM pg_class AS kind JOIN pg_namespace AS space ON space.oid = kind.relnamespace
WHERE space.nspname = 'petstream' AND kind.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY kind.relname;

-- name: purge_dependents
-- Views of other schemas that show our tables: they go with them.
SELECT DISTINCT format('%I.%I', space.nspname, other.relname) AS name
FROM pg_depend AS depends
JOIN pg_rewrite AS rule ON depends.classid = 'pg_rewrite'::regclass AND rule.oid = depends.objid
JOIN pg_class AS other ON other.oid = rule.ev_class
JOIN pg_namespace AS space ON space.oid = other.relnamespace
JOIN pg_class AS ours ON depends.refclassid = 'pg_class'::regclass AND ours.oid = depends.refobjid
JOIN pg_namespace AS held ON held.oid = ours.relnamespace
WHERE held.nspname = 'petstream' AND space.nspname <> 'petstream'
ORDER BY name;

-- name: purge_drop
-- Everything, and what depends on it, in one transaction.
DROP SCHEMA IF EXISTS petstream CASCADE;

-- What this user may do; asked for, not tried out.

-- name: unwritable_tables
-- The tables that this user may not write, though a consumer does.
SELECT relation.relname AS name
FROM pg_class AS relation JOIN pg_namespace AS space ON space.oid = relation.relnamespace
WHERE space.nspname = 'petstream' AND relation.relkind IN ('r', 'p')
  AND relation.relname <> 'schema_migration'
  AND NOT (has_table_privilege(relation.oid, 'SELECT')
           AND has_table_privilege(relation.oid, 'INSERT')
           AND has_table_privilege(relation.oid, 'UPDATE')
           AND has_table_privilege(relation.oid, 'DELETE'))
ORDER BY 1;

-- name: is_others
-- Whether the schema is there, and somebody else's.
SELECT EXISTS (
    SELECT FROM pg_namespace WHERE nspname = 'petstream' AND NOT pg_has_role(nspowner, 'USAGE')
);

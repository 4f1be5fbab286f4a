-- What this user may do; asked for, not tried out.

-- name: unwritable_tables
-- The tables that this user may not write.
SELECT relation.relname AS name
FROM pg_class AS relation JOIN pg_namespace AS space ON space.oid = relation.relnamespace
WHERE space.nspname = 'petstream' AND relation.relkind IN ('r', 'p')
  AND NOT (has_table_privilege(relation.oid, 'SELECT')
           AND has_table_privilege(relation.oid, 'INSERT')
           AND has_table_privilege(relation.oid, 'UPDATE')
           AND has_table_privilege(relation.oid, 'DELETE'))
ORDER BY 1;

-- Who may do what in the schema petstream: roles of the server, and what is granted to them.

-- name: missing_roles
-- Those of some roles that this server doesn't have; and whether this user may make roles.
SELECT wanted.name, (
    SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user
) AS may_make
FROM unnest($1::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name)
ORDER BY 1;

-- name: grant_rights
-- Give the roles that there are what they lack on what is ours to give.
DO $grants$
DECLARE
    role text;
    relation record;
    wanted text;
BEGIN
    FOR role IN
        SELECT rolname FROM pg_roles
        WHERE rolname IN ('petstream_writer', 'petstream_console', 'petstream_reader')
    LOOP
        IF NOT has_schema_privilege(role, 'petstream', 'USAGE') AND EXISTS (
            SELECT FROM pg_namespace WHERE nspname = 'petstream' AND pg_has_role(nspowner, 'USAGE')
        ) THEN
            EXECUTE format('GRANT USAGE ON SCHEMA petstream TO %I', role);
        END IF;
        FOR relation IN
            SELECT relname, pg_class.oid AS id, relkind FROM pg_class
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = 'petstream' AND relkind IN ('r', 'p', 'v')
              AND pg_has_role(relowner, 'USAGE')
        LOOP
            wanted := CASE
                WHEN role = 'petstream_reader' AND relation.relkind <> 'v' THEN ''
                WHEN role = 'petstream_writer' AND relation.relkind <> 'v'
                     AND relation.relname <> 'schema_migration'
                    THEN 'SELECT,INSERT,UPDATE,DELETE'
                ELSE 'SELECT'
            END;
            IF wanted <> '' AND EXISTS (
                SELECT FROM unnest(string_to_array(wanted, ',')) AS lacking (right_)
                WHERE NOT has_table_privilege(role, relation.id, right_)
            ) THEN
                EXECUTE format('GRANT %s ON petstream.%I TO %I', wanted, relation.relname, role);
            END IF;
        END LOOP;
    END LOOP;
END
$grants$;

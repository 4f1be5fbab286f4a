-- What the table topics ask of Postgres: where their consumer is, and whom a person kept.

-- name: tables_lock
-- Its positions stay where they are until the end of the transaction.
SELECT topic, partition, next_offset FROM petstream.consumer_position
WHERE consumer = 'tables' FOR UPDATE;

-- name: tables_listed_pets
-- Which of these are on the list: a sweep that is held, or was rejected, keeps them there.
SELECT animal_id AS key FROM petstream.pet WHERE listed AND animal_id = ANY($1::bigint[]);

-- name: tables_listed_organizations
-- Likewise.
SELECT org_id AS key FROM petstream.organization WHERE listed AND org_id = ANY($1::bigint[]);

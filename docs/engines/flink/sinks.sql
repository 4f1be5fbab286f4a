-- The tables that Flink writes: it makes none itself.
CREATE SCHEMA IF NOT EXISTS mart;

-- A: with the op, and a view that leaves out who was removed
CREATE TABLE mart.flink_pets (animal_id bigint PRIMARY KEY, sequence bigint, op text, org_id bigint, name text, status text);
CREATE VIEW mart.flink_listed AS SELECT * FROM mart.flink_pets WHERE op <> 'removed';

-- B
CREATE TABLE mart.flink_table (animal_id bigint PRIMARY KEY, sequence bigint, org_id bigint, name text, status text,
    updated_at timestamptz, attributes jsonb);

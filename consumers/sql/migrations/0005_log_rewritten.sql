-- Positions know what lies before them, and what is done where the log isn't the one we knew.

-- The record before the position, by its ce_id and its time; 0: not known (of 0.1, after a replay).
ALTER TABLE petstream.consumer_position
    ADD COLUMN record_id text,
    ADD COLUMN timestamp_ms bigint NOT NULL DEFAULT 0;

-- Positions whose record wasn't there any more: dropped, so that the partition is read again.
-- Until it is settled, the audit is to look whether the log must be asked for a snapshot.
CREATE TABLE petstream.rewritten_position (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    record_id text,
    timestamp_ms bigint NOT NULL,
    standing text NOT NULL CHECK (standing IN ('lost', 'unknown')),
    found_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (consumer, topic, partition)
);

-- A snapshot that was asked for, until one above the sequence is seen.
CREATE TABLE petstream.snapshot_question (
    asked_by text PRIMARY KEY,
    sequence bigint NOT NULL,
    reason text NOT NULL,
    asked_at timestamptz NOT NULL
);

-- What a sweep would take off the lists above the removal limits: a person decides, here alone.
CREATE TABLE petstream.sweep_plan (
    plan_id text PRIMARY KEY,
    export_id text NOT NULL,
    snapshot bigint NOT NULL,
    entity text NOT NULL CHECK (entity IN ('pets', 'orgs')),
    reason text NOT NULL,
    keys bigint[] NOT NULL,
    left_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'held'
        CHECK (state IN ('held', 'approved', 'rejected', 'superseded')),
    decided_by text,
    decision_reason text,
    decided_at timestamptz
);
CREATE UNIQUE INDEX sweep_plan_held ON petstream.sweep_plan (entity) WHERE state = 'held';

CREATE OR REPLACE VIEW petstream.removal_plans AS
SELECT plan.plan_id, plan.export_id, coalesce(decision.decision, 'held') AS state, plan.reason,
    plan.removals, plan.created_at, decision.at AS decided_at, decision.reason AS decision_reason,
    plan.entity
FROM (
    SELECT plan_id, min(export_id) AS export_id, min(reason) AS reason, min(entity) AS entity,
        sum(removals)::int AS removals, min(at) AS created_at
    FROM petstream.plan_part
    GROUP BY plan_id
) AS plan
LEFT JOIN petstream.plan_decision AS decision USING (plan_id)
UNION ALL
SELECT plan_id, export_id, state, reason, cardinality(keys), created_at, decided_at,
    decision_reason, entity
FROM petstream.sweep_plan;

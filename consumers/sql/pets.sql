-- What only the consumer pets writes: the history, exports, plans and dead letters.

-- name: record_pet_event
-- One event in the history; of two with one sequence the higher digest stands.
INSERT INTO petstream.pet_event AS held (
    animal_id, sequence, digest, op, export_id, occurred_at, changed, old
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8
)
ON CONFLICT (animal_id, sequence) DO UPDATE SET
    digest = excluded.digest, op = excluded.op, export_id = excluded.export_id,
    occurred_at = excluded.occurred_at, changed = excluded.changed, old = excluded.old
WHERE excluded.digest >= held.digest
    AND (excluded.digest, excluded.op, excluded.export_id, excluded.occurred_at,
         excluded.changed, excluded.old)
        IS DISTINCT FROM
        (held.digest, held.op, held.export_id, held.occurred_at, held.changed, held.old);

-- name: record_export_event
-- One event of an export, once, with the highest sequence it came with.
INSERT INTO petstream.export_event AS held (export_id, state, at, digest, mode, counts, sequence)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (export_id, state, at, digest) DO UPDATE SET sequence = excluded.sequence
WHERE excluded.sequence > held.sequence;

-- name: record_plan_part
-- One part of a held plan: the highest sequence; of equal ones (0.1 gave all the same) the first.
INSERT INTO petstream.plan_part AS held (
    plan_id, part, at, digest, export_id, entity, reason, removals, sequence
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (plan_id, part) DO UPDATE SET
    at = excluded.at, digest = excluded.digest, export_id = excluded.export_id,
    entity = excluded.entity, reason = excluded.reason, removals = excluded.removals,
    sequence = excluded.sequence
WHERE excluded.sequence > held.sequence
    OR excluded.sequence = held.sequence
        AND (excluded.at, excluded.digest) < (held.at, held.digest);

-- name: record_plan_decision
-- What was decided about a plan, said for each of its parts: the highest sequence stands.
INSERT INTO petstream.plan_decision AS held (plan_id, decision, decided_by, reason, at, sequence)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (plan_id) DO UPDATE SET
    decision = excluded.decision, decided_by = excluded.decided_by, reason = excluded.reason,
    at = excluded.at, sequence = excluded.sequence
WHERE (excluded.sequence, excluded.at, excluded.decision)
    >= (held.sequence, held.at, held.decision);

-- name: record_dead_letter
-- One refused row or event; its id is its offset in the topic, its bytes stay there.
INSERT INTO petstream.dead_letter (at_offset, at, origin, reason, error)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (at_offset) DO UPDATE SET
    at = excluded.at, origin = excluded.origin, reason = excluded.reason, error = excluded.error;

-- What is kept where the log isn't the one we knew: positions, the question, sweeps and their plans.

-- name: rewritten_positions
-- Positions that weren't in the log any more, and whether the audit has looked since.
SELECT consumer, topic, partition, next_offset, record_id, standing, found_at, settled_at
FROM petstream.rewritten_position ORDER BY consumer, topic, partition;

-- name: settle_rewritten
-- The audit has looked at what was found until $1.
UPDATE petstream.rewritten_position SET settled_at = now()
WHERE settled_at IS NULL AND found_at <= $1;

-- name: any_unsettled
-- Since when a rewritten position is not looked at.
SELECT max(found_at) FROM petstream.rewritten_position WHERE settled_at IS NULL;

-- name: read_question
-- The snapshot that is asked for.
SELECT asked_by, sequence, reason, asked_at FROM petstream.snapshot_question;

-- name: keep_question
-- Ask for a snapshot above $2, or above what is asked for already.
INSERT INTO petstream.snapshot_question AS held (asked_by, sequence, reason, asked_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (asked_by) DO UPDATE SET
    sequence = greatest(held.sequence, excluded.sequence), asked_at = excluded.asked_at,
    reason = CASE WHEN held.sequence > excluded.sequence THEN held.reason
        ELSE excluded.reason END
RETURNING asked_by, sequence, reason, asked_at;

-- name: drop_question
-- A snapshot above the question is there.
DELETE FROM petstream.snapshot_question WHERE sequence < $1 RETURNING sequence;

-- name: sweep_plans
-- Every plan of a sweep, oldest first.
SELECT plan_id, export_id, snapshot, entity, reason, keys, left_at, created_at AS held_at, state,
    decided_by, decision_reason
FROM petstream.sweep_plan ORDER BY created_at, plan_id;

-- name: lock_sweep_plan
-- One plan, until the end of the transaction.
SELECT plan_id, export_id, snapshot, entity, reason, keys, left_at, created_at AS held_at, state,
    decided_by, decision_reason
FROM petstream.sweep_plan WHERE plan_id = $1 FOR UPDATE;

-- name: hold_sweep
-- Hold a sweep, or say anew what the held one would take; a row comes back if that is news.
INSERT INTO petstream.sweep_plan AS held
    (plan_id, export_id, snapshot, entity, reason, keys, left_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (entity) WHERE state = 'held' DO UPDATE SET
    reason = excluded.reason, keys = excluded.keys
WHERE held.keys <> excluded.keys OR held.reason <> excluded.reason
RETURNING plan_id;

-- name: supersede_sweeps
-- Plans of older snapshots than $2 are void; with $3, those of this snapshot as well.
UPDATE petstream.sweep_plan
SET state = 'superseded', decision_reason = $4, decided_at = now()
WHERE state = 'held' AND entity = $1 AND (snapshot < $2 OR $3);

-- name: decide_sweep
-- What a person decided.
UPDATE petstream.sweep_plan
SET state = $2, decided_by = $3, decision_reason = $4, decided_at = now() WHERE plan_id = $1;

-- name: listed_counts
-- How many pets and organisations are listed.
SELECT (SELECT count(*) FROM petstream.pet WHERE listed) AS pets,
    (SELECT count(*) FROM petstream.organization WHERE listed) AS orgs;

-- name: pets_below
-- Listed pets that the snapshot $1 doesn't state.
SELECT animal_id AS key FROM petstream.pet WHERE listed AND sequence < $1 ORDER BY key;

-- name: organizations_below
-- Listed organisations that the snapshot $1 doesn't state.
SELECT org_id AS key FROM petstream.organization WHERE listed AND sequence < $1 ORDER BY key;

-- name: picture_sets_below
-- Pets that aren't listed (any more), and whose pictures don't know it: they leave with the pet.
SELECT animal_id AS key FROM petstream.picture_set AS held
WHERE left_at IS NULL AND sequence < $1
    AND NOT EXISTS (
        SELECT FROM petstream.pet WHERE pet.animal_id = held.animal_id AND pet.listed
    )
ORDER BY key;

-- name: sweep_pets
-- Take pets ($1) off the lists that are older than the snapshot $2; any event from it on wins.
UPDATE petstream.pet SET
    sequence = $2, digest = '', listed = false, removed_at = $3, export_id = $4
WHERE animal_id IN (
    SELECT animal_id FROM petstream.pet
    WHERE animal_id = ANY ($1::bigint[]) AND listed AND sequence < $2
    ORDER BY animal_id FOR UPDATE
);

-- name: sweep_organizations
-- The same of organisations.
UPDATE petstream.organization SET
    sequence = $2, digest = '', listed = false, removed_at = $3, export_id = $4
WHERE org_id IN (
    SELECT org_id FROM petstream.organization
    WHERE org_id = ANY ($1::bigint[]) AND listed AND sequence < $2
    ORDER BY org_id FOR UPDATE
);

-- name: sweep_picture_sets
-- The same of pictures of pets that aren't listed (any more), as a removal does it: they go when
-- the grace time is over.
UPDATE petstream.picture_set SET sequence = $2, digest = '', left_at = $3, export_id = $4
WHERE animal_id IN (
    SELECT held.animal_id FROM petstream.picture_set AS held
    WHERE held.animal_id = ANY ($1::bigint[]) AND left_at IS NULL AND held.sequence < $2
        AND NOT EXISTS (
            SELECT FROM petstream.pet WHERE pet.animal_id = held.animal_id AND pet.listed
        )
    ORDER BY held.animal_id FOR UPDATE
);

-- name: names_of_pets
-- Of whom a plan speaks.
SELECT animal_id AS key, name, org_id FROM petstream.pet WHERE animal_id = ANY ($1::bigint[]);

-- name: names_of_orgs
-- The same of organisations.
SELECT org_id AS key, name, NULL::bigint AS org_id FROM petstream.organization
WHERE org_id = ANY ($1::bigint[]);

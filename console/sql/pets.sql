-- One pet, listed or not, and what belongs to it.

-- name: pet_whole
-- A pet, its organisation, and what was decided if its removal was held.
SELECT pet.*, org.name AS org_name, org.city AS org_city, upper(btrim(org.state)) AS org_state, (
        SELECT plan.state FROM petstream.removal_plans AS plan
        WHERE NOT pet.listed AND plan.export_id = pet.export_id AND plan.entity = 'pets'
        ORDER BY plan.created_at DESC LIMIT 1
    ) AS plan_state
FROM petstream.pet AS pet LEFT JOIN petstream.organization AS org USING (org_id)
WHERE pet.animal_id = $1;

-- name: pet_pictures_kept
-- Its pictures in their order, also of a pet that left, as long as they are kept.
SELECT picture_id, position, status, thumbnails, width, height, error, rendition
FROM petstream.pet_picture WHERE animal_id = $1 ORDER BY position, picture_id;

-- name: pet_changes
-- What happened to it, newest first.
SELECT sequence, op, export_id, occurred_at, changed, old FROM petstream.pet_history
WHERE animal_id = $1 ORDER BY sequence DESC LIMIT 200;

-- name: pet_similar
-- Listed pets of its species ($2) whose breed ($3, a pattern) is like it: of its organisation ($4)
-- first, then of its state ($5).
SELECT alike.animal_id, 0 AS rank, alike.name AS sorted_by
FROM (
    SELECT animal_id, org_id, name FROM petstream.pet_search
    WHERE listed AND species = $2::text AND words LIKE $3::text AND animal_id <> $1::bigint
    LIMIT 300
) AS alike LEFT JOIN petstream.organization AS org USING (org_id)
ORDER BY (alike.org_id = $4::bigint) DESC NULLS LAST,
    (upper(btrim(org.state)) = $5::text) DESC NULLS LAST, alike.animal_id
LIMIT 6;

-- name: organization_whole
-- An organisation, listed or not.
SELECT * FROM petstream.organization WHERE org_id = $1;

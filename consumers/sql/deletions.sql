-- Removals of what can't be written: that it left is, so that no older event brings it back.

-- name: remove_pet
-- Take a pet off the lists, also one that was never seen here, unless what is held is newer.
INSERT INTO petstream.pet AS held (animal_id, sequence, digest, listed, removed_at, export_id)
VALUES ($1, $2, $3, false, $4, $5)
ON CONFLICT (animal_id) DO UPDATE SET
    sequence = excluded.sequence, digest = excluded.digest, listed = false,
    removed_at = excluded.removed_at, export_id = excluded.export_id
WHERE (held.sequence, held.digest) <= (excluded.sequence, excluded.digest);

-- name: remove_organization
-- Take an organisation off the lists, unless what is held is newer.
INSERT INTO petstream.organization AS held (org_id, sequence, digest, listed, removed_at, export_id)
VALUES ($1, $2, $3, false, $4, $5)
ON CONFLICT (org_id) DO UPDATE SET
    sequence = excluded.sequence, digest = excluded.digest, listed = false,
    removed_at = excluded.removed_at, export_id = excluded.export_id
WHERE (held.sequence, held.digest) <= (excluded.sequence, excluded.digest);

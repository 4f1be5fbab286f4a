-- What search looks at of new pets is written once for all rows of a statement: a consumer on an
-- empty database writes many at once, and each call for one of them costs as much as its index.

CREATE FUNCTION petstream.index_new_pets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO petstream.pet_search AS held
        (animal_id, org_id, listed, removed_at, species, status, name, words)
    SELECT animal_id, org_id, listed, removed_at, left(species, 60), left(status, 60),
        petstream.searched_name(name), CASE WHEN listed OR first_seen_at IS NOT NULL THEN
            petstream.searched_words(name, species, breed, postal_code) END
    FROM written
    ON CONFLICT (animal_id) DO UPDATE SET
        org_id = excluded.org_id, listed = excluded.listed, removed_at = excluded.removed_at,
        species = excluded.species, status = excluded.status, name = excluded.name,
        words = excluded.words;
    RETURN NULL;
END
$$;

DROP TRIGGER pet_is_new ON petstream.pet;
CREATE TRIGGER pets_are_new AFTER INSERT ON petstream.pet REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION petstream.index_new_pets();
-- An update mostly calls nothing, which only a trigger of each row can tell beforehand.
CREATE TRIGGER pet_is_gone AFTER DELETE ON petstream.pet
FOR EACH ROW EXECUTE FUNCTION petstream.index_pet();

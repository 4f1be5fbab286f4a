-- What search looks at is made of the row that was written, not of the table read once more: a plan
-- made while the table was empty, and kept, read all of it for every row of an import.

CREATE FUNCTION petstream.searched_text(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(replace(replace(replace(written, '&amp;', '&'), '&#39;', ''''), '&quot;', '"'))
$$;

CREATE FUNCTION petstream.searched_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        nullif(left(btrim(petstream.searched_text(left(name, 200))), 100), ''), chr(1114111)
    )
$$;

CREATE FUNCTION petstream.searched_words(name text, species text, breed text, postal_code text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ' ' || petstream.searched_text(
        concat_ws(' ', left(name, 200), left(species, 60), left(breed, 200), left(postal_code, 20))
    )
$$;

-- What everybody may call by default, but where a server's owner took that back.
GRANT EXECUTE ON FUNCTION petstream.searched_text(text), petstream.searched_name(text),
    petstream.searched_words(text, text, text, text) TO PUBLIC;

-- What its row is, as before; the trigger says the same of the row that was written.
CREATE OR REPLACE VIEW petstream.pet_searched AS
SELECT animal_id, org_id, listed, removed_at, left(species, 60) AS species,
    left(status, 60) AS status, petstream.searched_name(name) AS name,
    CASE WHEN listed OR first_seen_at IS NOT NULL
        THEN petstream.searched_words(name, species, breed, postal_code) END AS words
FROM petstream.pet;

CREATE OR REPLACE FUNCTION petstream.index_pet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM petstream.pet_search WHERE animal_id = OLD.animal_id;
        RETURN NULL;
    END IF;
    INSERT INTO petstream.pet_search AS held
        (animal_id, org_id, listed, removed_at, species, status, name, words)
    VALUES (NEW.animal_id, NEW.org_id, NEW.listed, NEW.removed_at, left(NEW.species, 60),
        left(NEW.status, 60), petstream.searched_name(NEW.name),
        CASE WHEN NEW.listed OR NEW.first_seen_at IS NOT NULL THEN
            petstream.searched_words(NEW.name, NEW.species, NEW.breed, NEW.postal_code) END)
    ON CONFLICT (animal_id) DO UPDATE SET
        org_id = excluded.org_id, listed = excluded.listed, removed_at = excluded.removed_at,
        species = excluded.species, status = excluded.status, name = excluded.name,
        words = excluded.words;
    RETURN NULL;
END
$$;

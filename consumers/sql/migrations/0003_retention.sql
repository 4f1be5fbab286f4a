-- What is forgotten of those that left: found without looking at what is listed.

-- first_seen_at is there as long as anything else of the pet is; it hardly ever changes, so that
-- updates of listed pets touch no index.
CREATE INDEX pet_removed_at ON petstream.pet (removed_at, animal_id) WHERE NOT listed;
CREATE INDEX pet_remembered ON petstream.pet (removed_at)
    WHERE NOT listed AND first_seen_at IS NOT NULL;
-- Empty unless contacts were ever published.
CREATE INDEX pet_event_contacts ON petstream.pet_event (animal_id, sequence)
    WHERE old ?| ARRAY['contactName', 'contactEmail', 'contactCellPhone', 'contactHomePhone'];
-- One row: when that was done last, and by which settings.
CREATE TABLE petstream.retention (
    ran_at timestamptz NOT NULL,
    removed_days int,
    contacts boolean
);
INSERT INTO petstream.retention VALUES ('-infinity');

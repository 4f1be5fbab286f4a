-- What a pet's newest event is to its pictures: most change something else of the pet.

ALTER TABLE petstream.picture_set
    ADD COLUMN wanted text COLLATE "C",                -- a digest of the set; null: not known yet
    ADD COLUMN asks_for text NOT NULL DEFAULT 'first'  -- 'first', 'same' or 'other' pictures
        CHECK (asks_for IN ('first', 'same', 'other'));

-- Which rendition of a picture is stored: the original, or a smaller one where that can't be had.

ALTER TABLE petstream.pet_picture ADD COLUMN rendition text;
UPDATE petstream.pet_picture SET rendition = CASE fetched_url
        WHEN original_url THEN 'original' WHEN large_url THEN 'large' WHEN small_url THEN 'small' END
WHERE fetched_url IS NOT NULL;
ALTER TABLE petstream.picture_news ADD COLUMN rendition text;

CREATE OR REPLACE VIEW petstream.pet_pictures AS
SELECT picture.animal_id, picture_id, position, picture.updated_at, original_url, large_url,
    small_url, picture.status, stored_as, thumbnails, sha256, content_type, bytes, width, height,
    attempts, fetched_at, error, rendition
FROM petstream.pet_picture AS picture JOIN petstream.pet USING (animal_id) WHERE pet.listed;

-- Version 4: sizes as found, and what identifies a root and a file beyond its name.
-- NULL is for rows of older versions and for what a file system does not have.

ALTER TABLE found ADD COLUMN found_size INTEGER;
ALTER TABLE sessions ADD COLUMN root_identity TEXT;
ALTER TABLE outcomes ADD COLUMN inode INTEGER;
ALTER TABLE outcomes ADD COLUMN changed INTEGER;

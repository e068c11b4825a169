-- Version 2: what is wrong with a file that is done all the same.

ALTER TABLE outcomes ADD COLUMN warning TEXT;

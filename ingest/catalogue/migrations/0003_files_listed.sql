-- Version 3: outcomes by status, and what lists of files filter and sort by in one narrow index.
-- Both are appended to as outcomes are: an index ordered by size would be written all over.

CREATE INDEX outcomes_by_status ON outcomes (status);
CREATE INDEX outcomes_listed ON outcomes (key, status, media_type, size, modified);

-- How the template's coinbase sets its lock time and sequence: 'plain' or 'bip54'. Templates from before this column
-- are plain, and their jobs must be built again as they were.
ALTER TABLE templates ADD COLUMN coinbase_form TEXT NOT NULL DEFAULT 'plain';

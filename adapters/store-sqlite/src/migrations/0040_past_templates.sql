-- Templates before this one are retired: their shares are not credited any more. `templates.retired` says from now on
-- that a template's transactions are gone, which comes later: a header of it may still be a block. (One number instead
-- of a column, for to change a row of `templates` is to write all its transactions again.)
ALTER TABLE pool ADD COLUMN live_from INTEGER NOT NULL DEFAULT 0;

-- All shares were moved before this, piece by piece (schema/packing.rs).
DROP TABLE shares;
DROP TABLE batches;
ALTER TABLE packed_batches RENAME TO batches;

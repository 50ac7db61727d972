-- The last four of a share's twelve bytes of extranonce, as an unsigned number; `extranonce` holds the first eight.
-- With its template's row as long as that is whole, a share's header can be built from its row again.
--
-- Null: the share is older than this column. If the extranonce is a job's (its second bit is clear:
-- `extranonce < 0x4000000000000000`) these bytes were zeros, else its miner rolled them and nobody kept them. There
-- is no default, so that no row says what is not known, and no row of the largest table has to be rewritten.
ALTER TABLE shares ADD COLUMN extranonce_tail INTEGER;

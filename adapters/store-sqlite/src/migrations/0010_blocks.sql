-- What workers' shares come to in work and in blocks, for luck.
ALTER TABLE workers ADD COLUMN units BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE workers ADD COLUMN blocks INTEGER NOT NULL DEFAULT 0;

-- Why a miner's credits changed: credit, reversal or return. An empty finder of a block: nobody remembers it.
ALTER TABLE credits ADD COLUMN kind TEXT NOT NULL DEFAULT 'credit';

-- Sums over the books and, apart from them, over what came in: kept up with every change and compared at every
-- commit. `account.` and an account's code: all accounts of that code. `blocks.` and an accounting: the rewards of
-- all blocks so booked. `emitted`: what rounds emitted.
CREATE TABLE sums (
    name TEXT PRIMARY KEY,
    sats INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sums (name, sats) SELECT 'account.' || account, SUM(amount) FROM balances GROUP BY account;
INSERT INTO sums (name, sats) SELECT 'blocks.' || accounting, SUM(reward) FROM blocks GROUP BY accounting;
INSERT INTO sums (name, sats) SELECT 'emitted', COALESCE(SUM(reward), 0) FROM rounds WHERE source = 'emission';

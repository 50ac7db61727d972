-- Amounts are sats, instants milliseconds since 1970. Units and totals of units are whole numbers in steps of 10^-28.
-- Hotkeys, hashes and ids of transactions are their bytes. 64-bit numbers that are not counted (nonces of requests) keep
-- their bits. Texts are compared byte by byte. Numbers of rows come from the table's last row and not from a sequence:
-- one connection writes, and what is rolled back leaves no gap.

-- One row: what there is once.
CREATE TABLE pool (
    id               bigint PRIMARY KEY CHECK (id = 1),
    created_at       bigint,
    life             bigint NOT NULL,
    next_worker      bigint NOT NULL DEFAULT 0,   -- the first worker's number that was never given
    live_from        bigint NOT NULL DEFAULT 0,   -- templates before this one are retired
    counters_through bigint NOT NULL DEFAULT 0,   -- the last share that is counted in the workers' saved counters
    pruned_through   bigint NOT NULL DEFAULT 0,   -- shares up to here are gone, also if there are still rows of them
    history_through  bigint NOT NULL DEFAULT 0,   -- shares up to here are in the history
    minutes_from     bigint NOT NULL DEFAULT 0,   -- history of before is forgotten, s
    hours_from       bigint NOT NULL DEFAULT 0,
    days_from        bigint NOT NULL DEFAULT 0,
    counted_to       bigint NOT NULL DEFAULT 0,   -- hours of before say how many miners and workers there were, s
    passed_time      bigint NOT NULL DEFAULT -9223372036854775807,   -- no commit from now on has a time before this one
    epoch_start      bigint,                      -- the first second of the epoch that is open; null: there are none
    epoch_after      bigint NOT NULL DEFAULT 0,   -- the last share before it
    ended_start      bigint,                      -- of the epoch before, if it is not stated yet
    ended_after      bigint
);
INSERT INTO pool (id, life) VALUES (1, 0);

-- Who writes. Whoever opens the ledger takes the next epoch; every transaction counts itself here by its own epoch, and
-- changes nothing if a newer one was taken. So a process that was paused writes nothing any more, and after a lost
-- connection this row says whether the last transaction was committed.
CREATE TABLE fronts (
    id      bigint PRIMARY KEY,
    epoch   bigint NOT NULL,
    commits bigint NOT NULL,       -- of this epoch
    looks   bigint NOT NULL        -- how often somebody had to look: a write, so that a standby has what was found
);
INSERT INTO fronts (id, epoch, commits, looks) VALUES (1, 0, 0, 0);

CREATE TABLE lives (
    life       bigint PRIMARY KEY,
    started_at bigint NOT NULL,
    stopped_at bigint
);

CREATE TABLE miners (
    hotkey         bytea PRIMARY KEY,
    registered_at  bigint NOT NULL,
    payout_address text COLLATE "C"
);

CREATE TABLE bans (
    hotkey  bytea PRIMARY KEY,
    reason  text COLLATE "C" NOT NULL,
    ends_at bigint                 -- null: when it is lifted
);

-- A worker that was taken out keeps its row, which says whose its shares are, until the last of them is pruned.
CREATE TABLE workers (
    id                           bigint PRIMARY KEY,
    hotkey                       bytea NOT NULL,
    name                         text COLLATE "C" NOT NULL,
    accepted                     bigint NOT NULL DEFAULT 0,
    rejected_unknown_job         bigint NOT NULL DEFAULT 0,
    rejected_stale               bigint NOT NULL DEFAULT 0,
    rejected_duplicate           bigint NOT NULL DEFAULT 0,
    rejected_low_difficulty      bigint NOT NULL DEFAULT 0,
    rejected_time_out_of_range   bigint NOT NULL DEFAULT 0,
    rejected_version_out_of_mask bigint NOT NULL DEFAULT 0,
    units                        numeric NOT NULL DEFAULT 0,
    blocks                       bigint NOT NULL DEFAULT 0,
    last_share_at                bigint,
    gone_after                   bigint,                          -- taken out: no share of it comes after this one
    removed                      boolean NOT NULL DEFAULT false   -- its miner was removed: its history is nobody's
);
CREATE UNIQUE INDEX workers_by_name ON workers (hotkey, name) WHERE gone_after IS NULL;
CREATE INDEX workers_by_owner ON workers (hotkey) WHERE NOT removed;
CREATE INDEX workers_gone ON workers (gone_after) WHERE gone_after IS NOT NULL;

-- What workers came to that were taken out.
CREATE TABLE miner_totals (
    hotkey                       bytea PRIMARY KEY,
    accepted                     bigint NOT NULL,
    rejected_unknown_job         bigint NOT NULL,
    rejected_stale               bigint NOT NULL,
    rejected_duplicate           bigint NOT NULL,
    rejected_low_difficulty      bigint NOT NULL,
    rejected_time_out_of_range   bigint NOT NULL,
    rejected_version_out_of_mask bigint NOT NULL,
    units                        numeric NOT NULL,
    blocks                       bigint NOT NULL,
    last_share_at                bigint
);

CREATE TABLE nonces (
    hotkey     bytea NOT NULL,
    nonce      bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (hotkey, nonce)
);
CREATE INDEX nonces_by_expiry ON nonces (expires_at);

CREATE TABLE templates (
    id                 bigint PRIMARY KEY,
    received_at        bigint NOT NULL,
    height             bigint NOT NULL,
    previous           bytea NOT NULL,
    version            bigint NOT NULL,
    version_mask       bigint NOT NULL,
    bits               bigint NOT NULL,
    time               bigint NOT NULL,
    time_min           bigint NOT NULL,
    time_max           bigint NOT NULL,
    subsidy            bigint NOT NULL,
    coinbase_value     bigint NOT NULL,
    coinbase_form      text COLLATE "C" NOT NULL,
    witness_commitment bytea,
    payout_script      bytea NOT NULL,
    tag                text COLLATE "C" NOT NULL,
    retired            boolean NOT NULL,      -- its transactions are gone
    first_share        bigint NOT NULL,       -- no share of it comes before this one
    last_share         bigint NOT NULL,       -- once its transactions are gone: no share of it comes after this one
    trailer            bytea NOT NULL,
    transactions       bytea NOT NULL         -- per transaction: length (4 bytes big-endian), txid, data
);
CREATE INDEX templates_whole ON templates (id) WHERE NOT retired;

-- The hot table: appended to only, by COPY. It has no index over hashes on purpose. It is cut by places in the ledger,
-- which is to say by time, and what is old goes a partition at a time.
CREATE TABLE shares (
    sequence    bigint NOT NULL,
    template    bigint NOT NULL,
    worker      bigint NOT NULL,
    share_bits  bigint NOT NULL,
    version     bigint NOT NULL,
    time        bigint NOT NULL,
    nonce       bigint NOT NULL,
    received_at bigint NOT NULL,
    units       numeric NOT NULL,
    extranonce  bytea NOT NULL,
    hash        bytea NOT NULL,
    PRIMARY KEY (sequence)
) PARTITION BY RANGE (sequence);

-- One row a commit that holds shares. Numbers, totals and times all grow together.
CREATE TABLE batches (
    first_sequence bigint PRIMARY KEY,
    last_sequence  bigint NOT NULL,
    committed_at   bigint NOT NULL,      -- when its latest share came, or the commit's before it if that was later
    total_before   numeric NOT NULL,
    total_after    numeric NOT NULL,
    epoch          bigint NOT NULL,      -- which transaction it was (fronts)
    commit         bigint NOT NULL
);
CREATE INDEX batches_by_time ON batches (committed_at, first_sequence);
CREATE INDEX batches_by_total ON batches (total_before, first_sequence);

CREATE TABLE blocks (
    id            bigint PRIMARY KEY,
    hash          bytea NOT NULL UNIQUE,
    height        bigint NOT NULL,
    reward        bigint NOT NULL,
    finder        bytea NOT NULL,        -- empty: nobody remembers it
    sequence      bigint NOT NULL,
    total_before  numeric NOT NULL,
    units         numeric NOT NULL,
    found_at      bigint NOT NULL,
    state         text COLLATE "C" NOT NULL,
    confirmations bigint NOT NULL,
    accounting    text COLLATE "C" NOT NULL,
    effort        numeric NOT NULL,
    bytes         bytea NOT NULL
);
CREATE INDEX blocks_by_sequence ON blocks (sequence, id);
CREATE INDEX blocks_by_height ON blocks (height);
CREATE INDEX blocks_by_state ON blocks (state, accounting);

-- The states that found blocks went through, and when each was learnt.
CREATE TABLE block_states (
    id    bigint PRIMARY KEY,
    block bytea NOT NULL,
    state text COLLATE "C" NOT NULL,
    at    bigint                         -- null: nobody kept it
);
CREATE INDEX block_states_by_block ON block_states (block, id);

CREATE TABLE rounds (
    id        bigint PRIMARY KEY,
    closed_at bigint NOT NULL,
    scheme    text COLLATE "C" NOT NULL,
    source    text COLLATE "C" NOT NULL,
    reward    bigint NOT NULL,
    fee       bigint NOT NULL,
    kept      bigint NOT NULL,
    credited  bigint NOT NULL,
    through   bigint NOT NULL,           -- the last share that was looked at
    digest    bytea NOT NULL
);
CREATE INDEX rounds_by_through ON rounds (through, id);

-- What became of each round's emission: amount + brought = rounds.reward + carried + burnt.
CREATE TABLE round_emissions (
    round   bigint PRIMARY KEY REFERENCES rounds (id),
    amount  bigint NOT NULL,
    brought bigint NOT NULL,
    carried bigint NOT NULL,
    burnt   bigint NOT NULL
);

-- How rounds came to their credits: what cannot be told from the credits themselves.
CREATE TABLE round_workings (
    round   bigint PRIMARY KEY REFERENCES rounds (id),
    fee_bps bigint NOT NULL,
    splits  bigint NOT NULL              -- how many blocks were split, each by work of its own (round_splits)
);
CREATE TABLE round_splits (
    round      bigint NOT NULL REFERENCES rounds (id),
    place      bigint NOT NULL,
    hotkey     bytea NOT NULL,
    half_steps numeric NOT NULL,
    PRIMARY KEY (round, place, hotkey)
);
-- What a miner's work was worth, if it is paid by the share: a row for each value of a unit, and one without for what was
-- carried.
CREATE TABLE round_paid (
    round   bigint NOT NULL REFERENCES rounds (id),
    hotkey  bytea NOT NULL,
    value   bigint,
    work    numeric NOT NULL
);
CREATE INDEX round_paid_by_miner ON round_paid (round, hotkey);

-- Blocks that a round credited. A block is credited once.
CREATE TABLE credited_blocks (
    hash  bytea PRIMARY KEY,
    round bigint NOT NULL REFERENCES rounds (id),
    place bigint NOT NULL,
    fee   bigint NOT NULL,
    kept  bigint NOT NULL
);
CREATE INDEX credited_blocks_by_round ON credited_blocks (round, place);
CREATE TABLE block_credits (
    hash   bytea NOT NULL REFERENCES credited_blocks (hash),
    hotkey bytea NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (hash, hotkey)
);

-- Miners' credits, and what took them back or gave them again. Work is in half-steps: a window may end within a share.
CREATE TABLE credits (
    id         bigint PRIMARY KEY,
    round      bigint NOT NULL REFERENCES rounds (id),
    hotkey     bytea NOT NULL,
    half_steps numeric NOT NULL,
    amount     bigint NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    block      bytea
);
CREATE INDEX credits_by_hotkey ON credits (hotkey, id);
CREATE INDEX credits_by_round ON credits (round, id);

-- The books: what every account changed by, for a round that closed or for a step of a payout, and where it stands. An
-- empty hotkey: an account of the pool.
CREATE TABLE journal (
    id      bigint PRIMARY KEY,
    at      bigint NOT NULL,
    round   bigint REFERENCES rounds (id),
    payout  bigint,
    step    text COLLATE "C",
    account text COLLATE "C" NOT NULL,
    hotkey  bytea NOT NULL,
    delta   bigint NOT NULL,
    CHECK ((round IS NULL) <> (payout IS NULL)),
    CHECK ((payout IS NULL) = (step IS NULL))
);
CREATE TABLE balances (
    account text COLLATE "C" NOT NULL,
    hotkey  bytea NOT NULL,
    amount  bigint NOT NULL,
    PRIMARY KEY (account, hotkey)
);
CREATE INDEX balances_by_hotkey ON balances (hotkey);

-- Sums over the books and, apart from them, over what came in: kept up with every change and compared at every commit
-- that moves money. `account.` and an account's code; `blocks.` and an accounting; `emitted`.
CREATE TABLE sums (
    name text COLLATE "C" PRIMARY KEY,
    sats bigint NOT NULL
);

-- Parts of a sat that are still owed, as of the last round.
CREATE TABLE carried (
    hotkey    bytea PRIMARY KEY,
    remainder numeric NOT NULL
);

-- The balance from which a miner wants to be paid, if it chose one.
CREATE TABLE payout_thresholds (
    hotkey bytea PRIMARY KEY,
    amount bigint NOT NULL
);

CREATE TABLE payouts (
    id            bigint PRIMARY KEY,
    state         text COLLATE "C" NOT NULL,
    reserved_at   bigint NOT NULL,
    sent_at       bigint,
    changed_at    bigint NOT NULL,
    fee_payer     text COLLATE "C" NOT NULL,
    fee_rate      bigint NOT NULL,        -- sats for each virtual byte
    txid          bytea UNIQUE,           -- this and the next three: once it is signed
    bytes         bytea,                  -- what is sent, again and again; empty once nobody has to send it
    inputs        bytea,                  -- of each: txid, number (4 bytes big-endian)
    fee           bigint,
    confirmations bigint NOT NULL,
    is_watched    boolean NOT NULL,
    note          text COLLATE "C" NOT NULL,
    batch         text COLLATE "C",       -- the batch that it was exported in; null: the pool sends it itself
    reference     text COLLATE "C"        -- what it was paid by, while it is marked paid
);
CREATE INDEX payouts_watched ON payouts (id) WHERE is_watched;
CREATE TABLE payout_parts (
    payout  bigint NOT NULL REFERENCES payouts (id),
    place   bigint NOT NULL,
    hotkey  bytea NOT NULL,
    address text COLLATE "C" NOT NULL,
    amount  bigint NOT NULL,
    fee     bigint NOT NULL,
    borne   bigint NOT NULL,
    PRIMARY KEY (payout, place)
);
CREATE INDEX payout_parts_by_hotkey ON payout_parts (hotkey, payout);

-- Payouts that somebody else sends: exported in batches that are signed once and never change.
CREATE TABLE payout_batches (
    id            bigint PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE,
    at            bigint NOT NULL,
    first_payout  bigint NOT NULL,
    payouts       bigint NOT NULL,
    total         bigint NOT NULL,
    previous      bytea,                  -- the digest of the batch before
    digest        bytea NOT NULL,
    signer        bytea NOT NULL,
    signature     bytea NOT NULL,
    csv_signature bytea NOT NULL,
    text          text COLLATE "C" NOT NULL,
    csv           text COLLATE "C" NOT NULL
);

CREATE TABLE settings (
    name  text COLLATE "C" PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

CREATE TABLE audit (
    id      bigint PRIMARY KEY,
    at      bigint NOT NULL,
    who     text COLLATE "C" NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    fields  text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL
);

-- What people are to be told, and each on its way to each receiver.
CREATE TABLE notices (
    id      bigint PRIMARY KEY,
    key     text COLLATE "C" NOT NULL UNIQUE,
    kind    text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    text    text COLLATE "C" NOT NULL,
    detail  text COLLATE "C" NOT NULL,
    planned boolean NOT NULL
);
CREATE INDEX notices_unplanned ON notices (id) WHERE NOT planned;
CREATE INDEX notices_by_date ON notices (at, id);
CREATE TABLE deliveries (
    notice   bigint NOT NULL REFERENCES notices (id),
    channel  text COLLATE "C" NOT NULL,
    failures bigint NOT NULL,
    next_at  bigint NOT NULL,
    PRIMARY KEY (notice, channel)
);
CREATE TABLE subscriptions (
    hotkey bytea PRIMARY KEY,
    record text COLLATE "C" NOT NULL
);
CREATE TABLE miner_notices (
    hotkey   bytea NOT NULL REFERENCES subscriptions (hotkey),
    channel  text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    text     text COLLATE "C" NOT NULL,
    detail   text COLLATE "C" NOT NULL,
    failures bigint NOT NULL,
    next_at  bigint NOT NULL,
    PRIMARY KEY (hotkey, channel, key)
);

-- Watch tokens that miners handed out. The tokens themselves are nowhere.
CREATE TABLE watches (
    id         bytea PRIMARY KEY,
    hotkey     bytea NOT NULL,
    name       text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint
);
CREATE INDEX watches_by_miner ON watches (hotkey);

-- Evaluated work. Losses and scores are whole numbers in steps of 10^-18.
CREATE TABLE submissions (
    sequence     bigint PRIMARY KEY,
    id           bytea NOT NULL UNIQUE,
    hotkey       bytea NOT NULL,
    worker       text COLLATE "C" NOT NULL,
    digest       bytea NOT NULL,
    received_at  bigint NOT NULL,
    evaluated_at bigint,                  -- null: it waits
    loss         numeric,
    score        numeric,
    metadata     text COLLATE "C",
    fault        text COLLATE "C",        -- the rule that it broke: it counts for nothing
    detail       text COLLATE "C",
    work         text COLLATE "C"         -- null once it is evaluated
);
CREATE INDEX submissions_of_miner ON submissions (hotkey, sequence);
CREATE INDEX submissions_waiting ON submissions (sequence) WHERE evaluated_at IS NULL;
CREATE INDEX submissions_by_time ON submissions (evaluated_at) WHERE evaluated_at IS NOT NULL AND fault IS NULL;

-- Statements of work: what each epoch's shares came to, signed, one behind the other. They never change.
CREATE TABLE statements (
    start         bigint PRIMARY KEY,     -- the epoch's first second
    ends          bigint NOT NULL,        -- the first second behind it
    after_share   bigint NOT NULL,
    through_share bigint NOT NULL,
    previous      bytea,                  -- the digest of the statement before
    digest        bytea NOT NULL,
    signer        bytea NOT NULL,
    signature     bytea NOT NULL,
    text          text COLLATE "C" NOT NULL
);
-- Rejected shares that no statement has counted yet.
CREATE TABLE epoch_rejects (
    hotkey bytea NOT NULL,
    worker text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    rejected_unknown_job         bigint NOT NULL,
    rejected_stale               bigint NOT NULL,
    rejected_duplicate           bigint NOT NULL,
    rejected_low_difficulty      bigint NOT NULL,
    rejected_time_out_of_range   bigint NOT NULL,
    rejected_version_out_of_mask bigint NOT NULL,
    PRIMARY KEY (hotkey, worker, at)
);

-- History for charts: what was mined in each minute, hour and day (`step`, s; `at`: when it began, s), of a worker, of a
-- miner, and of the pool, whose `whose` is empty.
CREATE TABLE worker_history (
    step       bigint NOT NULL,
    at         bigint NOT NULL,
    whose      bigint NOT NULL,
    accepted   bigint NOT NULL,
    units      numeric NOT NULL,
    hashes     double precision NOT NULL,
    squares    double precision NOT NULL,
    rejected_unknown_job         bigint NOT NULL,
    rejected_stale               bigint NOT NULL,
    rejected_duplicate           bigint NOT NULL,
    rejected_low_difficulty      bigint NOT NULL,
    rejected_time_out_of_range   bigint NOT NULL,
    rejected_version_out_of_mask bigint NOT NULL,
    last_bits  bigint,                    -- the target that was issued for the last share
    PRIMARY KEY (whose, step, at)
) WITH (fillfactor = 80);
CREATE INDEX worker_history_by_time ON worker_history (step, at);
CREATE TABLE miner_history (
    step       bigint NOT NULL,
    at         bigint NOT NULL,
    whose      bytea NOT NULL,
    accepted   bigint NOT NULL,
    units      numeric NOT NULL,
    hashes     double precision NOT NULL,
    squares    double precision NOT NULL,
    rejected_unknown_job         bigint NOT NULL,
    rejected_stale               bigint NOT NULL,
    rejected_duplicate           bigint NOT NULL,
    rejected_low_difficulty      bigint NOT NULL,
    rejected_time_out_of_range   bigint NOT NULL,
    rejected_version_out_of_mask bigint NOT NULL,
    miners     bigint,                    -- of the pool, once its hour is over: how many there were
    workers    bigint,
    PRIMARY KEY (whose, step, at)
) WITH (fillfactor = 80);
CREATE INDEX miner_history_by_time ON miner_history (step, at);

-- What was booked, said or ordered once never changes.
CREATE FUNCTION never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed and never deleted', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER journal_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    EXECUTE FUNCTION never_changes();
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    EXECUTE FUNCTION never_changes();
CREATE TRIGGER statements_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON statements
    EXECUTE FUNCTION never_changes();
CREATE TRIGGER payout_batches_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_batches
    EXECUTE FUNCTION never_changes();

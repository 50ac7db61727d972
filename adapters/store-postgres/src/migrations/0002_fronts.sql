-- Several processes (fronts) on one ledger. What was called `fronts` is the lead: whoever has it writes.
ALTER TABLE fronts RENAME TO leader;
ALTER TABLE leader ADD COLUMN front bigint;    -- which front leads; null: none since the last one stopped in order
ALTER TABLE leader ADD COLUMN hotkey bytea;    -- whose pool it is: of the first front that led

-- The processes, by numbers. Whoever runs with a number holds a lock of its session, so a process that is gone is known
-- to be; and it says every now and then that it is alive, so one that stands still is known, too. These rows say who is
-- there, and nothing depends on them but who may take the lead: what is true of the ledger is in `leader`.
CREATE TABLE fronts (
    number  bigint PRIMARY KEY,
    lease   bigint NOT NULL,                   -- grows whenever a process takes the number
    name    text COLLATE "C" NOT NULL UNIQUE,
    places  text COLLATE "C" NOT NULL,         -- a line for each listener: its setting, a space, host:port
    version text COLLATE "C" NOT NULL,
    since   bigint NOT NULL,                   -- by the server's clock, as is beat_at
    beat    bigint NOT NULL,                   -- grows for as long as the process lives
    beat_at bigint NOT NULL
);
